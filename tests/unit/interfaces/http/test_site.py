"""How the site says no where nothing of ours was asked."""

import pytest
from mcp.shared.exceptions import MCPError

from mcp_memory.app import App
from mcp_memory.memory.keys import NewKey
from tests.fixtures.site import Site


async def test_unknown_paths_and_methods_have_the_one_shape(site: Site) -> None:
    async with site.http() as http:
        missing, wrong = await http.get("/nothing"), await http.post("/healthz")
    assert missing.json() == {"error": "not_found", "message": "Not Found", "status": 404}
    assert (wrong.status_code, wrong.json()["error"]) == (405, "method_not_allowed")


async def test_an_mcp_client_is_shown_why_it_is_refused(app: App, site: Site) -> None:
    async with site.client() as client:
        await client.list_tools()
        await app.keys.create(NewKey("alice"))
        with pytest.raises(MCPError, match="A key is needed"):
            await client.call_tool("memory_list", {})
