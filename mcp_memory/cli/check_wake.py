"""What `doctor` looks at in the wake routes: each route is tried without ringing."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from mcp_memory.app import App
from mcp_memory.cli.findings import Finding, ok, problem, warning
from mcp_memory.cli.output import counted
from mcp_memory.db.diagnosis import Diagnosis
from mcp_memory.db.migrate import is_current
from mcp_memory.messaging.wake.models import ListedRoute

_LONG = timedelta(hours=1)
_CORRECT = "correct its route, or see that what it leads to runs; `mcp-memory wake test {}` rings"
_TRY = "once its door opens, `mcp-memory wake test {}` has unread mail rung for again"
_SERVE = "start a server that has its route, or run `mcp-memory wake remove {}`"


async def check_wake(app: App, database: str, diagnosis: Diagnosis) -> AsyncIterator[Finding]:
    """One finding for each route, and one for each outbox in which something is stuck.

    Nothing is migrated for it: what lies in the database is looked at where that is ready.
    """
    is_ready = diagnosis.inside is not None and is_current(diagnosis.applied)
    session = app.mail_session(app.config.agent, database)
    routes = await app.wake.list(session) if is_ready else app.wake.configured()
    for listed in routes:
        if listed.route is not None or listed.unusable:
            yield await _door(app, listed)
        if (stuck := _stuck(listed)) is not None:
            yield stuck


async def _door(app: App, listed: ListedRoute) -> Finding:
    outcome = await app.wake.try_dry(listed)
    check = f"wake {listed.agent}"
    if outcome.is_delivered:
        return ok(check, f"{listed.document.get('kind')}, from {listed.origin}: the door opens")
    return problem(check, outcome.problem, _CORRECT.format(listed.agent))


def _stuck(listed: ListedRoute) -> Finding | None:
    """What was given up, or waits for long, in the agent's outbox."""
    outbox, check = listed.outbox, f"bells {listed.agent}"
    if outbox is None:
        return None
    if outbox.given_up:
        rings = counted(outbox.given_up, "ring")
        what = f"{rings} for unread mail given up in the last seven days: {outbox.given_up_problem}"
        return warning(check, what.rstrip(": "), _TRY.format(listed.agent))
    since = outbox.waiting_since
    if since is not None and datetime.now(UTC) - since > _LONG:
        messages = counted(outbox.waiting, "message")
        what = f"{messages} to be rung for since {since:%Y-%m-%d %H:%M} UTC"
        return warning(check, what, _SERVE.format(listed.agent))
    return None
