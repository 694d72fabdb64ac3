"""Searching and writing over plain HTTP: what the tools answer, to whom the key belongs."""

from collections.abc import AsyncIterator

import pytest
from pydantic import JsonValue

from mcp_memory.app import App, open_app
from mcp_memory.memory.keys import NewKey
from tests.fixtures.postgres import MakeConfig
from tests.fixtures.site import Site, open_site

SEARCH, INGEST = "/api/search", "/api/ingest"


@pytest.fixture
async def site(app: App) -> AsyncIterator[Site]:
    async with open_site(app) as opened:
        yield opened


async def test_what_is_written_is_found(site: Site) -> None:
    document: dict[str, JsonValue] = {
        "path": "boats.md",
        "content": "The kittiwake lies at the north pier.",
        "tags": ["harbour"],
    }
    said: dict[str, JsonValue] = {
        "session_id": "s",
        "messages": [{"role": "user", "content": "Where is the kittiwake?", "id": "m1"}],
    }
    async with site.http() as http:
        written = (await http.post(INGEST, json=document)).json()
        appended = (await http.post(INGEST, json=said)).json()
        found = (await http.get(SEARCH, params={"query": "kittiwake", "max_results": 3})).json()
        both = await http.get(
            SEARCH, params={"query": "kittiwake", "sources": ["documents", "transcripts"]}
        )
        tagged = await http.get(SEARCH, params={"query": "kittiwake", "tags": '["mountain"]'})

    assert (written["path"], written["version"]) == ("boats.md", 1)
    assert (appended["session_id"], appended["appended"]) == ("s", 1)
    assert [each["path"] for each in found["results"]] == ["boats.md"]
    assert {each["source"] for each in both.json()["results"]} == {"documents", "transcripts"}
    assert tagged.json()["results"] == []


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": "x", "max_results": "-1"}, "max_results"),
        ({"query": "x", "nonsense": "1"}, "nonsense"),
        ({"query": ["x", "y"]}, "query"),
        ({"query": "x", "since": "2026-02-30"}, "since"),
    ],
)
async def test_a_mistake_in_a_search_is_named(
    site: Site, params: dict[str, str | list[str]], named: str
) -> None:
    async with site.http() as http:
        answer = await http.get(SEARCH, params=params)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")
    assert named in answer.json()["message"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{}", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"path": "../up.md", "content": "x"}', "application/json", 400),
        (b'{"path": "a.md", "content": "x", "nonsense": 1}', "application/json", 400),
        (b'{"session_id": "s", "messages": []}', "application/json", 400),
        (b'{"path": "a.md", "content": "x", "database": "A!"}', "application/json", 400),
        (b'{"path": "a.md", "content": NaN}', "application/json", 400),
        (b'{"path": "a.md", "content": 1e400}', "application/json", 400),
        (b'{"path": "a.md", "content": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b'{"path": "a.md", "content": "x", "\\ud800": 1}', "application/json", 400),
        (b'{"path": "a.md", "content": "x"}', "text/plain", 415),
    ],
)
async def test_what_cannot_be_written_is_refused_and_changes_nothing(
    app: App, site: Site, body: bytes, kind: str, status: int
) -> None:
    async with site.http() as http:
        answer = await http.post(INGEST, content=body, headers={"Content-Type": kind})
        assert answer.status_code == status
        assert answer.json().keys() == {"error", "message", "status"}
        assert (await http.post(SEARCH)).status_code == 405
    assert (await app.documents.list(app.session("default"))).rows == []


async def test_a_key_says_who_searches_and_what_it_may(app: App, site: Site) -> None:
    writer = await app.keys.create(NewKey("alice"))
    reader = await app.keys.create(NewKey("bob", scopes=("read",)))
    note = {"path": "diary.md", "content": "a marmalade secret"}
    async with (
        site.http() as nobody,
        site.http(writer.text) as alice,
        site.http(reader.text) as bob,
    ):
        for answer in (await nobody.get(SEARCH), await nobody.post(INGEST, json=note)):
            assert answer.status_code == 401
        assert (await alice.post(INGEST, json=note)).status_code == 200
        refused = await bob.post(INGEST, json=note)
        assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")
        asked = {"query": "marmalade"}
        assert len((await alice.get(SEARCH, params=asked)).json()["results"]) == 1
        assert (await bob.get(SEARCH, params=asked)).json()["results"] == []


async def test_a_toolset_that_is_left_out_is_not_served(make_config: MakeConfig) -> None:
    async with (
        open_app(make_config(toolsets=["messages"])) as app,
        open_site(app) as site,
        site.http() as http,
    ):
        assert (await http.get(SEARCH, params={"query": "x"})).status_code == 404
