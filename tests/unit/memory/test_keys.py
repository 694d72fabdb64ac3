"""Keys on a real database: bound to an agent, ended at once in every process, hidden from all."""

from datetime import timedelta

import psycopg
import pytest

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.errors import InvalidDatabaseName, KeyNotFound
from mcp_memory.memory.keys import NewKey, Token


async def test_a_key_is_its_agents_with_its_scopes_and_databases(app: App) -> None:
    issued = await app.keys.create(NewKey("alice", ["read"], ["main", "life"]))
    holder = await app.keys.holder_of(issued.text)
    assert holder is not None
    assert holder == issued.key
    assert (holder.agent, holder.scopes, holder.databases) == ("alice", ["read"], ["main", "life"])


async def test_only_the_whole_text_proves_it(app: App) -> None:
    issued = await app.keys.create(NewKey("alice"))
    forged = Token(issued.key.id, Token.fresh().secret)
    wrong = [forged.text, issued.key.id, issued.text[:-1], "", "\0", issued.text.upper()]
    assert [await app.keys.holder_of(text) for text in wrong] == [None] * len(wrong)


async def test_the_text_is_nowhere_in_the_database(app: App, database_url: str) -> None:
    issued = await app.keys.create(NewKey("alice"))
    with psycopg.connect(database_url) as conn:
        conn.execute("SET search_path = mcp_memory")
        rows = conn.execute("SELECT to_jsonb(k)::text FROM api_keys k").fetchall()
        log = conn.execute("SELECT to_jsonb(a)::text FROM audit_log a").fetchall()
    token = Token.parse(issued.text)
    assert token is not None
    assert len(rows) == 1
    assert token.secret not in str(rows + log)
    assert issued.key.id in str(log)


async def test_an_expired_key_proves_nothing(app: App) -> None:
    issued = await app.keys.create(NewKey("alice", lifetime=timedelta(microseconds=1)))
    assert await app.keys.holder_of(issued.text) is None
    assert await app.keys.usable([issued.key.id]) == set()


async def test_what_one_process_revokes_another_refuses(app: App, config: Config) -> None:
    issued = await app.keys.create(NewKey("alice"))
    async with open_app(config) as other:
        assert await other.keys.holder_of(issued.text) == issued.key
        (revoked,) = await app.keys.revoke(issued.key.id)
        assert revoked.revoked_at is not None
        assert await other.keys.holder_of(issued.text) is None
        assert await other.keys.usable([issued.key.id]) == set()


async def test_all_keys_of_an_agent_are_revoked_and_no_others(app: App) -> None:
    first, second = [await app.keys.create(NewKey("alice")) for _ in range(2)]
    other = await app.keys.create(NewKey("bob"))
    revoked = await app.keys.revoke_agent("alice")
    assert {key.id for key in revoked} == {first.key.id, second.key.id}
    assert await app.keys.holder_of(other.text) == other.key
    assert await app.keys.revoke_agent("alice") == []


async def test_revoking_again_revokes_nothing_and_an_unknown_id_is_an_error(app: App) -> None:
    issued = await app.keys.create(NewKey("alice"))
    await app.keys.revoke(issued.key.id)
    assert await app.keys.revoke(issued.key.id) == []
    with pytest.raises(KeyNotFound):
        await app.keys.revoke("000000000000")


async def test_keys_stay_required_when_the_last_one_is_revoked(app: App) -> None:
    assert not await app.keys.are_required()
    issued = await app.keys.create(NewKey("alice"))
    await app.keys.revoke(issued.key.id)
    assert await app.keys.are_required()


async def test_a_database_that_can_have_no_such_name_is_refused(app: App) -> None:
    with pytest.raises(InvalidDatabaseName):
        await app.keys.create(NewKey("alice", databases=["No Such"]))
    assert await app.keys.list() == []


async def test_no_agent_can_read_or_make_keys(app: App) -> None:
    await app.keys.create(NewKey("alice"))
    session = app.session("alice")
    async with session.reading() as conn:
        assert await (await conn.execute("SELECT id FROM api_keys")).fetchall() == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with session.writing() as conn:
            await conn.execute(
                "INSERT INTO api_keys (id, secret_hash, agent_id, scopes)"
                " VALUES ('0123456789ab', sha256('x'), 'alice', '{admin}')"
            )


async def test_keys_do_not_follow_an_agents_own_default(app: App) -> None:
    await app.databases.register("life", "alice")
    await app.databases.set_default("", "life")
    issued = await app.keys.create(NewKey("alice"))
    await app.databases.set_default("", "main")
    assert await app.keys.holder_of(issued.text) == issued.key
