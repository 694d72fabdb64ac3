"""`mcp-memory purge`: what was deleted long ago is removed for good."""

from datetime import UTC, datetime, timedelta
from functools import partial

import click

from mcp_memory.app import App
from mcp_memory.errors import InvalidInput
from mcp_memory.interfaces.cli.invocation import Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import database_option, json_option
from mcp_memory.interfaces.cli.output import print_json
from mcp_memory.interfaces.cli.session import configure, run
from mcp_memory.memory.documents.models import PurgeCounts
from mcp_memory.memory.mail.model import PurgedMail
from mcp_memory.text.dates import parse_instant


@click.command()
@click.option("--agent", "owner", metavar="NAME", help="Only this agent's; default: everybody's.")
@click.option(
    "--older-than",
    metavar="AGE",
    help="Deleted longer ago than this, such as 7d; default: limits.recovery_days.",
)
@click.option("--dry-run", is_flag=True, help="Count, and remove nothing.")
@database_option
@json_option
@pass_invocation
def purge(
    invocation: Invocation,
    owner: str | None,
    older_than: str | None,
    dry_run: bool,
    database: str | None,
    as_json: bool,
) -> None:
    """Remove for good what was deleted long ago.

    Documents and memories that can no longer be brought back, with every version, and the answers
    kept for repeated writes. Mail goes when messages.retention_days is set and it is read or
    expired for that long, whatever --older-than says; unread mail stays. Every agent's, unless
    --agent names one (of mail: who sent it).

    \b
    Example:
      mcp-memory purge --older-than 7d --dry-run
    """
    config = configure(invocation)
    age = None if older_than is None else _age(older_than)
    work = partial(_purge, owner=owner, age=age, dry_run=dry_run, database=database)
    documents, memories, mail = run(config, work)
    if as_json:
        counts = {
            "documents": documents.documents,
            "memories": memories,
            "messages": mail.messages,
            "rings": mail.wake_attempts,
            "idempotency_keys": documents.idempotency_keys,
        }
        print_json(counts | {"dry_run": dry_run})
        return
    done = "Would remove" if dry_run else "Removed"
    click.echo(
        f"{done} {documents.documents} deleted documents, {memories} memories,"
        f" {mail.messages} messages, {mail.wake_attempts} rings"
        f" and {documents.idempotency_keys} idempotency keys."
    )


async def _purge(
    app: App, owner: str | None, age: timedelta | None, dry_run: bool, database: str | None
) -> tuple[PurgeCounts, int, PurgedMail]:
    """What went of the documents, how many memories, and what went of the mail."""
    memories = await app.forgetting.purge_outdated(
        app.session(app.config.agent, database), owner=owner, age=age, dry_run=dry_run
    )
    session = app.session(app.config.agent, database)
    documents = await app.documents.purge_expired(session, owner=owner, age=age, dry_run=dry_run)
    session = app.mail_session(app.config.agent, database)
    mail = await app.messages.purge(session, owner=owner, dry_run=dry_run)
    return documents, memories, mail


def _age(text: str) -> timedelta:
    now = datetime.now(UTC)
    try:
        age = now - parse_instant("--older-than", text, now=now, zone=UTC)
    except InvalidInput as exc:
        raise click.BadParameter(exc.problem, param_hint="--older-than") from exc
    if age < timedelta():
        raise click.BadParameter("lies in the future", param_hint="--older-than")
    return age
