"""Living is not the same as being able to work."""

from mcp_memory.app import open_app
from tests.fixtures.postgres import MakeConfig
from tests.web.site import Site, open_site


async def test_a_server_with_its_database_lives_and_is_ready(site: Site) -> None:
    async with site.http() as http:
        alive, ready = await http.get("/healthz"), await http.get("/readyz")
    assert (alive.status_code, alive.json()["status"]) == (200, "alive")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")


async def test_without_its_database_it_lives_and_is_not_ready(make_config: MakeConfig) -> None:
    nowhere = make_config(database={"url": "postgresql://u:s3cret@127.0.0.1:1/nothing"})
    async with open_app(nowhere) as app, open_site(app) as site, site.http() as http:
        alive, ready = await http.get("/healthz"), await http.get("/readyz")
    assert alive.status_code == 200
    assert (ready.status_code, ready.json()["error"]) == (503, "unavailable")
    assert "s3cret" not in ready.text
