"""Servers that are not ours: one URL, logins of every power, passwords, TLS."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

import psycopg
import pytest

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.errors import DatabaseUnavailable
from mcp_memory.postgres import provision
from mcp_memory.postgres.addresses import options_in
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.databases import Databases
from mcp_memory.search.kinds import SearchRequest
from tests.fixtures.postgres_servers import (
    ADMIN,
    BUILDER,
    GUEST,
    MAKER,
    Login,
    TcpServer,
    TlsServer,
    drop_family,
)
from tests.fixtures.tables import NOTICE, SECRET, all_rows_of_every_table

WRONG = Login("maker", "wr0ng:/?@ &")


def config_on(url: str) -> Config:
    return Config.model_validate({"database": {"url": url, "pool": {"min": 0, "max": 4}}})


@asynccontextmanager
async def databases_at(url: str) -> AsyncGenerator[Databases]:
    databases = Databases(config_on(url))
    try:
        yield databases
    finally:
        await databases.close()


@pytest.fixture
def url_for(tcp_server: TcpServer, database_name: str) -> Callable[[Login], str]:
    """The address of this test's database for a login; it can be made by whoever may."""
    tcp_server.execute("CREATE EXTENSION IF NOT EXISTS vector", database="template1")

    def url_for(login: Login) -> str:
        if login == GUEST:
            tcp_server.execute("CREATE DATABASE {} OWNER {}", database_name, GUEST.name)
        return tcp_server.url(login, database_name)

    return url_for


@pytest.fixture(params=[ADMIN, BUILDER, MAKER, GUEST], ids=lambda login: login.name)
async def app(
    request: pytest.FixtureRequest, url_for: Callable[[Login], str]
) -> AsyncIterator[App]:
    """An app of each login."""
    async with open_app(config_on(url_for(request.param))) as opened:
        yield opened


async def current_user(conn: Connection) -> tuple[object, ...] | None:
    return await (await conn.execute("SELECT session_user::text, current_user::text")).fetchone()


async def current_database(conn: Connection) -> tuple[object, ...] | None:
    return await (await conn.execute("SELECT current_database()::text")).fetchone()


@pytest.mark.parametrize(
    ("login", "app_role"),
    [
        (ADMIN, "admin_mcp_app"),
        (BUILDER, "builder_mcp_app"),
        (MAKER, "maker"),
        (GUEST, "guest"),
    ],
    ids=["superuser", "createrole", "createdb", "nothing"],
)
async def test_agents_run_as_the_application_role_where_the_login_can_create_one(
    url_for: Callable[[Login], str], login: Login, app_role: str
) -> None:
    async with databases_at(url_for(login)) as databases:
        database = await databases.writing(None, "alice")

        async with database.writing("alice") as conn:
            assert await current_user(conn) == (login.name, app_role)


@pytest.mark.parametrize("login", [ADMIN, BUILDER, MAKER], ids=lambda login: login.name)
async def test_base_and_derived_databases_are_created(
    url_for: Callable[[Login], str], database_name: str, login: Login
) -> None:
    async with databases_at(url_for(login)) as databases:
        life = await databases.writing("life", "alice")

        async with life.reading("alice") as conn:
            assert await current_database(conn) == (f"{database_name}_life",)
        assert [(each.name, each.status) for each in await databases.list()] == [
            ("main", "ready"),
            ("life", "ready"),
        ]


async def test_policies_hold_every_login(app: App) -> None:
    await app.documents.write(app.session("alice"), SECRET)
    await app.documents.write(app.session("alice"), NOTICE)
    database = await app.databases.reading(None, "bob")

    async with database.reading("bob") as conn:
        seen = await all_rows_of_every_table(conn)

    assert "marmalade notice" in seen
    assert "secret" not in seen
    assert "diary" not in seen
    answer = await app.search.passages(
        app.session("bob"), SearchRequest("marmalade", min_score=0.0)
    )
    assert [result.path for result in answer.results] == ["notice.md"]


async def test_every_login_sees_nothing_without_an_identity(app: App) -> None:
    await app.documents.write(app.session("alice"), NOTICE)
    database = await app.databases.reading(None, "bob")

    async with database.reading("") as conn:
        assert await all_rows_of_every_table(conn) == ""


async def test_no_login_writes_anothers_rows(app: App) -> None:
    await app.documents.write(app.session("alice"), NOTICE)
    database = await app.databases.writing(None, "bob")

    async def vandalise(conn: Connection) -> tuple[int, int]:
        changed = await conn.execute("UPDATE documents SET title = 'mine'")
        removed = await conn.execute("DELETE FROM chunks")
        return changed.rowcount, removed.rowcount

    async def forge(conn: Connection) -> None:
        await conn.execute(
            "INSERT INTO audit_log (agent_id, action, kind, object_id)"
            " VALUES ('alice', 'write', 'document', '1')"
        )

    async with database.writing("bob") as conn:
        assert await vandalise(conn) == (0, 0)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with database.writing("bob") as conn:
            await forge(conn)


async def test_a_wrong_password_is_never_repeated(tcp_server: TcpServer) -> None:
    async with databases_at(tcp_server.url(WRONG, "memory")) as databases:
        with pytest.raises(DatabaseUnavailable) as caught:
            await databases.writing(None, "alice")

    assert caught.value.reason == "the login was refused"
    assert "wr0ng" not in str(caught.value)


async def test_a_login_that_may_create_no_database_says_so(
    tcp_server: TcpServer, database_name: str
) -> None:
    async with databases_at(tcp_server.url(GUEST, database_name)) as databases:
        with pytest.raises(DatabaseUnavailable) as caught:
            await databases.writing(None, "alice")

    assert caught.value.name == "main"
    assert "may not create" in caught.value.reason


async def test_a_database_made_by_an_administrator_is_listed_once_it_is_used(
    url_for: Callable[[Login], str], tcp_server: TcpServer, database_name: str
) -> None:
    async with databases_at(url_for(GUEST)) as databases:
        tcp_server.execute("CREATE DATABASE {} OWNER {}", f"{database_name}_work", GUEST.name)
        await databases.writing("work", "alice")

        assert await databases.names() == ["main", "work"]


async def test_an_extension_the_login_may_not_install_is_asked_of_an_administrator(
    tcp_server: TcpServer, database_name: str
) -> None:
    tcp_server.execute("CREATE DATABASE {} OWNER {} TEMPLATE template0", database_name, GUEST.name)
    async with databases_at(tcp_server.url(GUEST, database_name)) as databases:
        with pytest.raises(DatabaseUnavailable) as caught:
            await databases.writing(None, "alice")

    assert "CREATE EXTENSION vector" in caught.value.reason


async def test_a_server_without_pgvector_is_refused(
    tcp_server: TcpServer, database_name: str
) -> None:
    tcp_server.execute("CREATE DATABASE {} TEMPLATE template0", database_name)
    tcp_server.execute("ALTER DATABASE {} SET extension_control_path = '/nowhere'", database_name)
    async with databases_at(tcp_server.url(ADMIN, database_name)) as databases:
        with pytest.raises(DatabaseUnavailable) as caught:
            await databases.writing(None, "alice")

    assert caught.value.reason == "the server has no pgvector; install it there"


async def test_pgvector_may_lie_in_a_schema_of_its_own(
    tcp_server: TcpServer, database_name: str
) -> None:
    tcp_server.execute("CREATE DATABASE {} TEMPLATE template0", database_name)
    tcp_server.execute("CREATE SCHEMA extensions", database=database_name)
    tcp_server.execute("CREATE EXTENSION vector SCHEMA extensions", database=database_name)
    async with open_app(config_on(tcp_server.url(ADMIN, database_name))) as app:
        await app.documents.write(app.session("alice"), NOTICE)
        answer = await app.search.passages(
            app.session("bob"), SearchRequest("marmalade", min_score=0.0)
        )

    assert [result.path for result in answer.results] == ["notice.md"]


async def test_another_encoding_is_refused(tcp_server: TcpServer, database_name: str) -> None:
    tcp_server.execute(
        "CREATE DATABASE {} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'", database_name
    )
    async with databases_at(tcp_server.url(ADMIN, database_name)) as databases:
        with pytest.raises(DatabaseUnavailable) as caught:
            await databases.writing(None, "alice")

    assert caught.value.reason == "its encoding is SQL_ASCII, not UTF8"


async def test_the_short_scheme_and_the_query_string_are_kept(
    url_for: Callable[[Login], str], database_name: str
) -> None:
    url = url_for(BUILDER).replace("postgresql://", "postgres://")
    query = "?application_name=my%20agent&connect_timeout=3&options=-c%20work_mem%3D7MB"
    async with databases_at(f"{url}{query}") as databases:
        life = await databases.writing("life", "alice")

        async def settings(conn: Connection) -> tuple[object, ...] | None:
            found = await conn.execute(
                "SELECT current_setting('application_name'), current_setting('work_mem')"
            )
            return await found.fetchone()

        async with life.reading("alice") as conn:
            assert await settings(conn) == ("my agent", "7MB")
        assert life.address.url.startswith("postgres://")
        assert life.address.url.endswith(f"/{database_name}_life{query}")


async def test_a_base_with_capitals_and_quotes_in_its_name_works(tcp_server: TcpServer) -> None:
    base = 'Ac/me "2"'
    try:
        async with databases_at(tcp_server.url(ADMIN, base)) as databases:
            life = await databases.writing("life", "alice")

            async with life.reading("alice") as conn:
                assert await current_database(conn) == (f"{base}_life",)
            assert await databases.names() == ["main", "life"]
    finally:
        drop_family(tcp_server, base)


async def test_a_url_without_a_database_means_the_logins_own(tcp_server: TcpServer) -> None:
    url = tcp_server.url(BUILDER, "")
    tcp_server.execute("CREATE EXTENSION IF NOT EXISTS vector", database="template1")
    try:
        async with databases_at(url.removesuffix("/")) as databases:
            database = await databases.writing(None, "alice")

            async with database.reading("alice") as conn:
                assert await current_database(conn) == (BUILDER.name,)
    finally:
        drop_family(tcp_server, BUILDER.name)


async def test_logins_of_one_server_have_roles_of_their_own(
    tcp_server: TcpServer, database_name: str
) -> None:
    owners = ["o" * 62 + digit for digit in "12"]
    roles: list[str] = []
    for owner in owners:
        login = Login(owner)
        tcp_server.execute("CREATE ROLE {} LOGIN CREATEROLE CREATEDB SUPERUSER", owner)
        tcp_server.execute("ALTER ROLE {} PASSWORD 's3cret:/?@ &'", owner)
        async with databases_at(tcp_server.url(login, database_name + owner[-1])) as databases:
            roles.append((await databases.writing(None, "alice")).layout.roles.app)
    drop_family(tcp_server, database_name)

    assert len(set(roles)) == 2
    assert all(len(role) < 64 for role in roles)


async def test_a_login_that_is_given_createrole_later_gets_its_roles(
    tcp_server: TcpServer, database_name: str
) -> None:
    late = Login(f"late_{database_name}")
    tcp_server.execute("CREATE ROLE {} LOGIN PASSWORD 's3cret:/?@ &'", late.name)
    tcp_server.execute("CREATE DATABASE {} OWNER {}", database_name, late.name)
    tcp_server.execute("CREATE EXTENSION IF NOT EXISTS vector", database=database_name)
    url = tcp_server.url(late, database_name)
    async with open_app(config_on(url)) as alone:
        await alone.documents.write(alone.session("alice"), SECRET)
        await alone.documents.write(alone.session("alice"), NOTICE)
        tcp_server.execute("ALTER ROLE {} CREATEROLE", late.name)
        async with open_app(config_on(url)) as with_roles:
            database = await with_roles.databases.reading(None, "bob")
            async with database.reading("bob") as conn:
                seen = await all_rows_of_every_table(conn)
            # Its policies would not hold the process that began without roles.
            with pytest.raises(DatabaseUnavailable):
                async with (await alone.databases.reading(None, "bob")).reading("bob") as conn:
                    await current_user(conn)

    assert database.layout.roles.are_separate
    assert "marmalade notice" in seen
    assert "secret" not in seen


async def test_a_superuser_migrates_what_belongs_to_a_plain_login(
    url_for: Callable[[Login], str], tcp_server: TcpServer, database_name: str
) -> None:
    plain_url = url_for(GUEST)
    async with open_app(config_on(plain_url)) as app:
        await app.documents.write(app.session("alice"), SECRET)
        await app.documents.write(app.session("alice"), NOTICE)
    async with await provision.connect(tcp_server.url(ADMIN, database_name)) as conn:
        await provision.prepare(conn, "main")

    owners = tcp_server.execute(
        "SELECT DISTINCT relowner::regrole::text FROM pg_class"
        " WHERE relnamespace = 'mcp_memory'::regnamespace",
        database=database_name,
    )
    assert owners == [(GUEST.name,)]
    async with open_app(config_on(plain_url)) as app:
        database = await app.databases.reading(None, "bob")
        async with database.reading("bob") as conn:
            seen = await all_rows_of_every_table(conn)
        assert database.layout.roles.app == "guest_mcp_app"
        assert "marmalade notice" in seen
        assert "secret" not in seen
    tcp_server.execute("DROP DATABASE {} WITH (FORCE)", database_name)
    tcp_server.execute("DROP ROLE guest_mcp_app, guest_mcp_worker")


async def test_a_schema_of_another_login_is_not_ours_to_migrate(
    url_for: Callable[[Login], str], tcp_server: TcpServer, database_name: str
) -> None:
    async with databases_at(url_for(BUILDER)) as databases:
        await databases.writing(None, "alice")
    async with databases_at(tcp_server.url(MAKER, database_name)) as databases:
        with pytest.raises(DatabaseUnavailable) as caught:
            await databases.writing(None, "alice")

    assert "belongs to 'builder'" in caught.value.reason


async def test_a_login_above_the_policies_that_can_create_no_roles_is_refused(
    tcp_server: TcpServer, database_name: str
) -> None:
    above = Login(f"above_{database_name}")
    tcp_server.execute("CREATE ROLE {} LOGIN BYPASSRLS PASSWORD 's3cret:/?@ &'", above.name)
    tcp_server.execute("CREATE DATABASE {} OWNER {}", database_name, above.name)
    tcp_server.execute("CREATE EXTENSION IF NOT EXISTS vector", database=database_name)
    async with databases_at(tcp_server.url(above, database_name)) as databases:
        with pytest.raises(DatabaseUnavailable) as caught:
            await databases.writing(None, "alice")

    assert "row-level security" in caught.value.reason


async def is_encrypted(conn: Connection) -> bool:
    return conn.pgconn.ssl_in_use


@pytest.mark.parametrize("sslmode", ["require", "verify-full"])
async def test_tls_is_kept_in_derived_addresses(
    tls_server: TlsServer, database_name: str, sslmode: str
) -> None:
    server, certificate = tls_server.server, str(tls_server.certificate)
    url = server.url(ADMIN, database_name, sslmode=sslmode, sslrootcert=certificate)
    async with databases_at(url) as databases:
        life = await databases.writing("life", "alice")

        assert options_in(life.address.url)["sslmode"] == sslmode
        async with life.reading("alice") as conn:
            assert await is_encrypted(conn)
    drop_family(server, database_name)


async def test_a_certificate_nobody_vouches_for_is_refused(
    tls_server: TlsServer, database_name: str
) -> None:
    url = tls_server.server.url(ADMIN, database_name, sslmode="verify-full")
    async with databases_at(url) as databases:
        with pytest.raises(DatabaseUnavailable) as caught:
            await databases.writing(None, "alice")

    assert caught.value.reason == "the server's certificate was not accepted"


async def test_a_server_without_tls_is_refused_where_tls_is_required(
    tcp_server: TcpServer, database_name: str
) -> None:
    async with databases_at(tcp_server.url(ADMIN, database_name, sslmode="require")) as databases:
        with pytest.raises(DatabaseUnavailable) as caught:
            await databases.writing(None, "alice")

    assert caught.value.reason == "an encrypted connection could not be made"
