"""What callers may read about an error."""

import pytest

from mcp_memory.errors import (
    DocumentNotFound,
    EmbeddedPostgresFailed,
    McpMemoryError,
    MigrationFailed,
)
from mcp_memory.interfaces.mcp.tools.tool import readable


@pytest.mark.parametrize(
    ("error", "secret"),
    [
        (EmbeddedPostgresFailed("/home/ann/pg is full", log_tail="/home/ann/pg.log"), "/home/ann"),
        (MigrationFailed("0002_graph", "near SELECT secret FROM t"), "SELECT"),
    ],
)
def test_what_names_this_machine_goes_to_the_log(
    error: McpMemoryError, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert secret not in readable(error)
    assert secret in caplog.text


def test_other_errors_of_ours_are_told_as_they_are() -> None:
    error = DocumentNotFound("a.md")
    assert readable(error) == str(error)
