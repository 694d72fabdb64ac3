"""Request bodies: bounded whether their size is declared or not."""

from collections.abc import AsyncIterator

import pytest

from mcp_memory.app import App, open_app
from mcp_memory.memory.keys import NewKey
from tests.fixtures.postgres import MakeConfig
from tests.fixtures.site import open_site

LIMIT = 2048


@pytest.fixture
async def small(make_config: MakeConfig) -> AsyncIterator[App]:
    async with open_app(make_config(http={"body_bytes": LIMIT})) as opened:
        yield opened


async def pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 256):
        yield b"x" * 256


async def test_what_is_larger_than_the_limit_is_refused(small: App) -> None:
    async with open_site(small) as site, site.http() as http:
        for path in ("/mcp", "/messages/", "/nothing"):
            declared = await http.post(path, content=b"x" * (LIMIT + 1))
            undeclared = await http.post(path, content=pieces(LIMIT + 256))
            assert [declared.status_code, undeclared.status_code] == [413, 413]
            assert declared.json() == undeclared.json()


async def test_what_is_not_json_is_refused_as_such(small: App) -> None:
    async with open_site(small) as site, site.http() as http:
        for headers in ({"Content-Type": "text/plain"}, {}):
            answer = await http.post("/mcp", content=b"{}", headers=headers)
            assert (answer.status_code, "Content-Type" in answer.text) == (415, True)
        named = {"Content-Type": "application/json; charset=utf-8"}
        assert (await http.post("/mcp", content=b"{}", headers=named)).status_code != 415


async def test_what_is_as_large_as_the_limit_arrives_whole(small: App) -> None:
    async with open_site(small) as site, site.http() as http:
        declared = await http.post("/nothing", content=b"x" * LIMIT)
        undeclared = await http.post("/nothing", content=pieces(LIMIT))
    assert [declared.status_code, undeclared.status_code] == [404, 404]


async def test_who_has_no_key_is_told_so_before_anything_is_read(small: App) -> None:
    await small.keys.create(NewKey("alice"))
    async with open_site(small) as site, site.http() as http:
        assert (await http.post("/mcp", content=b"x" * 10 * LIMIT)).status_code == 401
