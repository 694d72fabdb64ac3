"""The official suite, both sets of requirements: every scored scenario passes.

pytest -m conformance
"""

import re

import pytest

from tests.process.conformance.node import Node

pytestmark = pytest.mark.conformance

_TOTAL = re.compile(r"^Total: (\d+) passed, (\d+) failed", re.MULTILINE)


@pytest.mark.parametrize(("revision", "at_least"), [("2025-11-25", 80), ("2026-07-28", 160)])
def test_all_scored_requirements_are_met(
    node: Node, server: str, revision: str, at_least: int
) -> None:
    done = node.conformance("server", "--url", f"{server}/mcp", "--requirements", revision)
    total = _TOTAL.search(done.stdout)
    assert total is not None, done.stdout[-2000:] + done.stderr[-2000:]
    assert int(total[1]) >= at_least
    # The exit code counts scored scenarios alone; tasks, an extension, are not among them.
    assert done.returncode == 0, done.stdout[done.stdout.index("=== SUMMARY") :]
