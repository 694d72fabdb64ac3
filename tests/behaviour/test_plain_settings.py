"""Nothing is configured but the address: whatever embeds on this machine, all is found."""

import pytest

from mcp_memory.app import open_app
from mcp_memory.memory.documents.models import WriteDocument
from tests.fixtures.fact_factories import search, tell, texts
from tests.fixtures.postgres import MakeConfig
from tests.fixtures.queries import until_embedded


@pytest.mark.parametrize("query", ["marmalade", "Who likes marmalade?"])
async def test_with_plain_settings_documents_and_facts_are_found(
    make_config: MakeConfig, query: str
) -> None:
    note = WriteDocument("diary.md", "The marmalade is in the attic.")
    async with open_app(make_config()) as app:
        await app.documents.write(app.session("alice"), note)
        await tell(app, "Ben likes marmalade.")
        await until_embedded(app)
        answer = await search(app, query)

    assert set(texts(answer)) == {"The marmalade is in the attic.", "Ben likes marmalade."}
    assert answer.degraded == []
