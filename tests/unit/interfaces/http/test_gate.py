"""The auth gate: every route, every way in."""

from datetime import timedelta

import pytest

from mcp_memory.app import App, open_app
from mcp_memory.memory.keys import NewKey, Token
from tests.fixtures.postgres import MakeConfig
from tests.fixtures.site import Site, open_site

OPEN = ["/healthz", "/readyz", "/.well-known/oauth-protected-resource"]
EVERY_ROUTE = [
    *OPEN,
    *("/mcp", "/sse", "/messages/", "/", "/nothing", "/api/search", "/api/ingest", "/metrics"),
]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example:8720"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_a_foreign_host_or_origin_is_refused_on_every_route(
    app: App, site: Site, headers: dict[str, str]
) -> None:
    issued = await app.keys.create(NewKey("alice"))
    async with site.http(issued.text) as http:
        for method in ("GET", "POST", "DELETE", "OPTIONS"):
            answers = [await http.request(method, path, headers=headers) for path in EVERY_ROUTE]
            assert {answer.status_code for answer in answers} == {403}


async def test_once_there_is_a_key_everything_but_health_and_metadata_needs_one(
    app: App, site: Site
) -> None:
    async with site.http() as http:
        assert (await http.get("/nothing")).status_code == 404
        await app.keys.create(NewKey("alice"))
        statuses = {path: (await http.get(path)).status_code for path in EVERY_ROUTE}
    assert {path for path, status in statuses.items() if status == 200} == set(OPEN)
    assert {status for path, status in statuses.items() if path not in OPEN} == {401}


async def test_without_a_key_the_answer_says_where_keys_are_described(app: App, site: Site) -> None:
    await app.keys.create(NewKey("alice"))
    async with site.http() as http:
        answer = await http.post("/mcp")
        challenge = answer.headers["www-authenticate"]
        url = challenge.partition('resource_metadata="')[2].rstrip('"')
        described = (await http.get(url)).json()
    assert challenge.startswith("Bearer ")
    assert "error=" not in challenge
    assert described["resource"] == "http://127.0.0.1:8720/mcp"
    assert described["scopes_supported"] == ["read", "write", "admin"]
    assert described["bearer_methods_supported"] == ["header"]
    assert (answer.status_code, answer.json()["error"]["data"]) == (401, {"status": 401})


@pytest.mark.parametrize("scheme", ["Bearer", "Basic", "Token"])
async def test_what_is_no_key_is_refused_even_where_none_is_needed(site: Site, scheme: str) -> None:
    token = Token.fresh()
    async with site.http() as http:
        answer = await http.get("/", headers={"Authorization": f"{scheme} {token.text}"})
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert token.secret not in f"{answer.text}{answer.headers}"


async def test_expired_and_revoked_keys_are_refused_at_once(app: App, site: Site) -> None:
    expired = await app.keys.create(NewKey("alice", lifetime=timedelta(microseconds=1)))
    revoked = await app.keys.create(NewKey("alice"))
    async with site.http(revoked.text) as http:
        assert (await http.get("/")).status_code == 404
        await app.keys.revoke(revoked.key.id)
        assert (await http.get("/")).status_code == 401
    async with site.http(expired.text) as http:
        assert (await http.get("/")).status_code == 401


async def test_a_key_in_the_address_opens_nothing(app: App, site: Site) -> None:
    issued = await app.keys.create(NewKey("alice"))
    async with site.http() as http:
        for name in ("token", "key", "access_token"):
            assert (await http.get("/", params={name: issued.text})).status_code == 401


async def test_too_many_requests_are_told_when_to_come_again(make_config: MakeConfig) -> None:
    async with open_app(make_config(http={"rate_per_minute": 2})) as app, open_site(app) as site:
        alice, bob = [await app.keys.create(NewKey(agent)) for agent in ("alice", "bob")]
        async with site.http(alice.text) as http:
            statuses = [(await http.get("/")).status_code for _ in range(3)]
            answer = await http.get("/")
        async with site.http(bob.text) as http:
            assert (await http.get("/")).status_code == 404
    assert statuses == [404, 404, 429]
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert answer.json()["error"] == "too_many_requests"


async def test_where_others_can_come_in_nobody_does_without_a_key(
    make_config: MakeConfig,
) -> None:
    config = make_config(http={"allowed_hosts": ["memory.example.com"]})
    async with open_app(config) as app, open_site(app) as site, site.http() as http:
        answer = await http.get("/", headers={"Host": "memory.example.com"})
    assert answer.status_code == 401


async def test_a_server_that_stops_takes_nothing_new(site: Site) -> None:
    await site.traffic.drain(0)
    async with site.http() as http:
        answer = await http.get("/healthz")
    assert (answer.status_code, answer.headers["connection"]) == (503, "close")


async def test_keys_that_cannot_be_checked_let_nobody_in(make_config: MakeConfig) -> None:
    nowhere = make_config(database={"url": "postgresql://u@127.0.0.1:1/nothing"})
    key = Token.fresh().text
    async with open_app(nowhere) as app, open_site(app) as site, site.http(key) as http:
        answer = await http.post("/mcp")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "127.0.0.1:1" not in answer.text
