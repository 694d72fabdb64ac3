"""An archive's script, line by line."""

from mcp_memory.transfer.archive import (
    CountedScript,
    data_of,
    grants,
    revocations,
    rows_in,
    without_roles,
)

SCRIPT = [
    b"SET statement_timeout = 0;\n",
    b"SET transaction_timeout = 0;\n",
    b"COPY mcp_memory.agents (agent_id, first_seen) FROM stdin;\n",
    b"ada\t2026-03-01 09:00:00+00\n",
    b"SET transaction_timeout = 0;\t2026-03-01 09:00:00+00\n",
    b"COPY mcp_memory.wake_attempts (id) FROM stdin;\t2026-03-01 09:00:00+00\n",
    b"\\.\n",
    b"\n",
    b'COPY mcp_memory."rings" (id) FROM stdin;\n',
    b"\\.\n",
]
CONTENTS = [
    "7; 2615 16715 SCHEMA - mcp_memory owner",
    "3602; 0 0 ACL - SCHEMA mcp_memory owner",
    "2; 1255 1 FUNCTION mcp_memory settle(bigint[]) owner",
    "3; 0 0 ACL mcp_memory FUNCTION settle(wanted bigint[]) owner",
    "4; 0 1 TABLE DATA mcp_memory migrations owner",
    "5; 3256 1 POLICY mcp_memory documents owned owner",
    "6; 0 1 ROW SECURITY mcp_memory documents owner",
]


def test_rows_are_counted_and_nothing_of_them_is_left_out() -> None:
    script = CountedScript(SCRIPT)
    assert list(script) == [SCRIPT[0], *SCRIPT[2:]]
    assert script.rows == {"agents": 3, "rings": 0}


def test_the_rows_of_the_first_table_are_read_by_column() -> None:
    assert [row["agent_id"] for row in rows_in(SCRIPT)][:1] == ["ada"]
    assert len(list(rows_in(SCRIPT))) == 3


def test_what_names_roles_is_kept_apart() -> None:
    assert without_roles(CONTENTS) == [CONTENTS[0], CONTENTS[2], CONTENTS[4]]
    assert grants(CONTENTS) == [CONTENTS[1], CONTENTS[3]]
    assert data_of(CONTENTS, "migrations") == [CONTENTS[4]]
    assert data_of(CONTENTS, "documents") == []


def test_only_what_everybody_loses_is_taken_from_a_script_of_grants() -> None:
    lost = "REVOKE ALL ON FUNCTION mcp_memory.settle(wanted bigint[]) FROM PUBLIC;"
    script = [
        lost,
        "GRANT ALL ON FUNCTION mcp_memory.settle(wanted bigint[]) TO owner_mcp_worker;",
        "REVOKE ALL ON TABLE mcp_memory.documents FROM somebody;",
        "DROP SCHEMA mcp_memory; -- FROM PUBLIC;",
    ]
    assert revocations(line.encode() + b"\n" for line in script) == [lost]
