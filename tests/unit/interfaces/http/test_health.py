"""Living is not the same as being able to work."""

import anyio

from mcp_memory.app import App, open_app
from tests.fixtures.listeners import closed_to_newcomers, kill_listeners
from tests.fixtures.postgres import MakeConfig
from tests.fixtures.site import Site, open_site


async def test_a_server_with_its_database_lives_and_is_ready(site: Site) -> None:
    async with site.http() as http:
        alive, ready = await http.get("/healthz"), await http.get("/readyz")
    assert (alive.status_code, alive.json()["status"]) == (200, "alive")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert ready.json()["listening"] is True


async def test_a_server_that_hears_nothing_says_so(
    app: App, site: Site, database_url: str, server_url: str
) -> None:
    database = await app.databases.writing(None, "alice")
    await database.notifications.subscribe("x", lambda _: None)
    # A pooled connection is there before nobody else may come in.
    await until_listening(site, True)
    with closed_to_newcomers(database_url, server_url) as inside:
        kill_listeners(inside)
        await until_listening(site, False)
    await until_listening(site, True)


async def until_listening(site: Site, is_listening: bool) -> None:
    """Ask until it says so: another thread learns of it."""
    async with site.http() as http:
        with anyio.fail_after(30):
            while (await http.get("/readyz")).json()["listening"] is not is_listening:
                pass


async def test_without_its_database_it_lives_and_is_not_ready(make_config: MakeConfig) -> None:
    nowhere = make_config(database={"url": "postgresql://u:s3cret@127.0.0.1:1/nothing"})
    async with open_app(nowhere) as app, open_site(app) as site, site.http() as http:
        alive, ready = await http.get("/healthz"), await http.get("/readyz")
    assert alive.status_code == 200
    assert (ready.status_code, ready.json()["error"]) == (503, "unavailable")
    assert "s3cret" not in ready.text
