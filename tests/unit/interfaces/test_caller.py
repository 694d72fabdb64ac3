"""What a caller may do: exactly what the key says."""

import pytest

from mcp_memory.errors import DatabaseRefused, ScopeMissing
from mcp_memory.interfaces.caller import Caller
from mcp_memory.memory.keys import SCOPES, Scope


@pytest.mark.parametrize("held", SCOPES)
@pytest.mark.parametrize("needed", SCOPES)
def test_no_scope_includes_another(held: Scope, needed: Scope) -> None:
    caller = Caller("alice", (held,))
    if held == needed:
        caller.require(needed)
        return
    with pytest.raises(ScopeMissing) as caught:
        caller.require(needed)
    assert (caught.value.scope, caught.value.held) == (needed, [held])


def test_a_caller_without_a_key_may_do_everything() -> None:
    caller = Caller("alice")
    for scope in SCOPES:
        caller.require(scope)
    caller.require_database("anything")


def test_a_key_for_some_databases_is_for_no_other() -> None:
    caller = Caller("alice", databases=("life", "work"))
    caller.require_database("life")
    assert not caller.may_use("main")
    with pytest.raises(DatabaseRefused) as caught:
        caller.require_database("main")
    assert (caught.value.name, caught.value.allowed) == ("main", ["life", "work"])
