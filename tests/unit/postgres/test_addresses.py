"""Names and addresses: what is refused, and that a derived address keeps all but the database."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.errors import InvalidInput
from mcp_memory.postgres.addresses import (
    check_url,
    complete_url,
    database_in,
    derive_url,
    options_in,
    with_database,
)

# What libpq itself takes in a URL without escapes, and what must come back as it went.
PEOPLE = st.sampled_from(["", "me@", "me:pw@", "me:p?w@", "me:p%2Fw%40@", "me:@"])
HOSTS = st.sampled_from(
    ["", "db.example", "db.example:5433", "[::1]:5432", "one:1,two:2", "%2Frun%2Fpg"]
)
QUERIES = st.sampled_from(
    [
        "",
        "?sslmode=verify-full",
        "?host=/run/x&port=5",
        "?options=-c%20a%3Db",
        "?application_name=a",
    ]
)
DATABASES = st.text(min_size=1, max_size=20).filter(lambda name: "\0" not in name)
NAMES = st.builds(
    str.__add__,
    st.sampled_from(string.ascii_lowercase),
    st.text(string.ascii_lowercase + string.digits + "_", max_size=10),
)


@st.composite
def urls(draw: st.DrawFn) -> str:
    scheme = draw(st.sampled_from(["postgresql", "postgres"]))
    return f"{scheme}://{draw(PEOPLE)}{draw(HOSTS)}/acme{draw(QUERIES)}"


@given(urls(), DATABASES)
def test_another_database_changes_the_database_alone(url: str, database: str) -> None:
    changed = with_database(url, database)

    assert database_in(changed) == database
    assert options_in(changed) == options_in(url) | {"dbname": database}
    assert with_database(changed, "acme") == url


@given(urls(), NAMES)
def test_a_derived_address_differs_in_the_database_alone(url: str, name: str) -> None:
    derived = derive_url(url, name)

    assert options_in(derived) == options_in(url) | {"dbname": f"acme_{name}"}
    assert derived.partition("://")[0] == url.partition("://")[0]


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("postgresql://me@host/acme", "acme"),
        ("postgres://me@host/Ac%22me%2Fx", 'Ac"me/x'),
        ("postgresql:///acme?host=/run/x", "acme"),
        ("postgresql://me:p?w@host/acme", "acme"),
        ("postgresql://me@host/acme?dbname=other", "other"),
        ("postgresql://me@host?dbname=other&sslmode=require", "other"),
        ("postgresql://me@host", "me"),
        ("postgresql://me@host/?sslmode=require", "me"),
    ],
)
def test_an_address_leads_where_libpq_goes(url: str, database: str) -> None:
    assert database_in(url) == database
    assert database_in(complete_url(url)) == database


def test_the_environment_names_the_database_where_the_address_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGDATABASE", "theirs")

    assert complete_url("postgresql://me@host") == "postgresql://me@host/theirs"


def test_a_database_among_the_options_does_not_win_over_the_derived_one() -> None:
    derived = derive_url("postgresql://me@host/acme?dbname=other&sslmode=require", "life")

    assert derived == "postgresql://me@host/other_life?sslmode=require"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:hunter2@host/acme",
        "host=localhost password=hunter2",
        "postgresql://me:hunter2@host/acme?no_such_option=1",
        "postgresql://me:hunter2@[::1/acme",
        "",
    ],
)
def test_what_libpq_cannot_read_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_url(url)

    assert "hunter2" not in str(caught.value)


def test_a_derived_name_that_postgresql_would_cut_is_refused() -> None:
    base = "postgresql://host/" + "b" * 40

    assert database_in(derive_url(base, "n" * 22)) == "b" * 40 + "_" + "n" * 22
    with pytest.raises(InvalidInput):
        derive_url(base, "n" * 23)
