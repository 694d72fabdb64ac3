"""How psql learns where to go: never by an argument that others can read."""

import sys
from pathlib import Path
from shlex import quote

import anyio
import pytest

from mcp_memory.interfaces.cli.databases import run_psql

URL = "postgresql://ada:s3c'ret@h.example:5433/acme?sslmode=require&keepalives=1&options=-c%20a%3Db"


@pytest.fixture
def fake_psql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program called psql that writes down what it was given; the real one needs a server."""
    told = tmp_path / "told"
    program, psql = tmp_path / "told.py", tmp_path / "psql"
    # Not the interpreter in the first line: its path may hold a space.
    psql.write_text(f'#!/bin/sh\nexec {quote(sys.executable)} {quote(str(program))} "$@"\n')
    program.write_text(
        "import os, sys\n"
        f"with open({str(told)!r}, 'w') as file:\n"
        "    print(sys.argv[1:], file=file)\n"
        "    for name in sorted(os.environ):\n"
        "        if name.startswith('PG'):\n"
        "            print(name, os.environ[name], file=file)\n"
        "sys.exit(7)\n"
    )
    psql.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PGSERVICE", "somebody_elses")
    return told


async def test_the_address_goes_through_the_environment(fake_psql: Path) -> None:
    assert await run_psql(URL, ["-c", "SELECT 1"], is_embedded=False) == 7
    told = await anyio.Path(fake_psql).read_text()
    assert told.splitlines() == [
        "[\"keepalives='1'\", '-c', 'SELECT 1']",
        "PGDATABASE acme",
        "PGHOST h.example",
        "PGOPTIONS -c search_path=mcp_memory,public -c a=b",
        "PGPASSWORD s3c'ret",
        "PGPORT 5433",
        "PGSSLMODE require",
        "PGUSER ada",
    ]
