"""The names of the two roles; what they do is tested in test_isolation and test_external."""

from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.postgres.roles import Roles

MAX_IDENTIFIER_BYTES = 63


def owners() -> st.SearchStrategy[str]:
    """Names that PostgreSQL allows: at most 63 bytes."""
    texts = st.text(min_size=1, max_size=63)
    return texts.filter(
        lambda name: "\0" not in name and len(name.encode()) <= MAX_IDENTIFIER_BYTES
    )


@given(owners())
def test_roles_fit_into_an_identifier_and_differ(owner: str) -> None:
    roles = Roles.of(owner)

    assert roles.are_separate
    assert roles.app != roles.worker
    assert max(len(roles.app.encode()), len(roles.worker.encode())) <= MAX_IDENTIFIER_BYTES


@given(st.lists(owners(), min_size=2, max_size=2, unique=True))
def test_two_owners_never_share_a_role(two: list[str]) -> None:
    first, second = (Roles.of(owner) for owner in two)

    assert {first.app, first.worker}.isdisjoint({second.app, second.worker})


def test_owners_that_begin_alike_have_roles_of_their_own() -> None:
    assert Roles.of("o" * 62 + "1").app != Roles.of("o" * 62 + "2").app


def test_a_short_owner_is_recognised_in_its_roles() -> None:
    assert Roles.of("acme") == Roles(app="acme_mcp_app", worker="acme_mcp_worker")


def test_without_names_roles_are_not_separate() -> None:
    assert not Roles().are_separate
