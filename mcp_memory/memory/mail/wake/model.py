"""What waking is about: routes, attempts, and what became of them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from mcp_memory.backoff import delay_seconds
from mcp_memory.config import WakeRoute


@dataclass(frozen=True, slots=True)
class StoredRoute:
    """A route that was added by command, as it was written: its secret is a reference."""

    agent: str
    document: Mapping[str, object]
    added_at: datetime


@dataclass(frozen=True, slots=True)
class ServedRoute:
    """A route that this process can use; `floor` is the least priority that wakes just now.

    `added_at` tells an added route from the one that may have taken its place since it was read.
    """

    agent: str
    route: WakeRoute
    is_stored: bool
    floor: int = 0
    added_at: datetime | None = None

    @property
    def digest(self) -> str:
        """What tells this route's target from another one's."""
        route = self.route
        url = "" if route.url is None else route.url.reveal()
        target = [route.kind, url, *route.command, route.agent_id, route.session_key]
        return hashlib.sha256("\0".join(target).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message that an agent is woken for."""

    message_id: int
    sender: str
    priority: int
    subject: str
    content: str


@dataclass(frozen=True, slots=True)
class WakeAttempt:
    """One attempt to wake an agent: `id` stays when it is repeated, `lease` says who makes it now.

    It is the `number`th time; `failures` are those of the agent's route before, one after another.
    """

    id: UUID
    agent: str
    number: int
    failures: int
    lease: UUID
    messages: Sequence[QueuedMessage]


@dataclass(frozen=True, slots=True)
class OutboxPoll:
    """What a poll of the outbox gave: an attempt to make, or the seconds until one is due, if
    they can be known."""

    attempt: WakeAttempt | None
    next_due_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended; without a problem, the agent was woken.

    The problem is for the sender to read too: it never holds an address, a secret or what an
    endpoint said. A refusal is one that the same attempt will meet again.
    """

    problem: str = ""
    is_refusal: bool = False
    retry_after_seconds: float | None = None

    @property
    def is_delivered(self) -> bool:
        """Whether it worked."""
        return not self.problem


@dataclass(frozen=True, slots=True)
class WakeState:
    """How one recipient of a message was woken for it.

    `waiting` (nobody has tried yet), `trying` (at least one attempt), `rung`, `given_up`, or
    `not_needed`: it was read, or had expired.
    """

    agent: str
    kind: str
    state: str
    attempts: int
    problem: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """The outbox of one agent: what waits, since when, and how its route does.

    `given_up` counts the attempts that unread mail was given up with; the problem is the last's.
    """

    agent: str
    waiting: int
    waiting_since: datetime | None
    given_up: int
    given_up_problem: str
    failures: int
    problem: str
    next_try_at: datetime


@dataclass(frozen=True, slots=True)
class ListedRoute:
    """A route, or an agent whose route only other servers have (`route` None), and its outbox."""

    agent: str
    origin: str
    document: Mapping[str, object]
    route: WakeRoute | None
    unusable: str
    outbox: OutboxStatus | None


MAX_PAUSE_SECONDS = 900.0
REFUSED_PAUSE_SECONDS = 60.0
MAX_RETRY_AFTER_SECONDS = 86_400.0
# From here on the route counts as broken: single attempts, a quarter of an hour apart.
BROKEN_AFTER = 8


def pause_seconds(outcome: Outcome, failures: int, *, first: float, jitter: float) -> float:
    """Doubles with each failure (from 1), spread over its upper half by `jitter` in [0, 1).

    What the endpoint asks for is a floor, up to a day. A refusal is not repeated soon: whoever
    refuses needs a person first. A broken route is tried at the longest pause only.
    """
    full = delay_seconds(failures, first=first, longest=MAX_PAUSE_SECONDS)
    if failures >= BROKEN_AFTER:
        full = MAX_PAUSE_SECONDS
    elif outcome.is_refusal:
        full = max(full, min(REFUSED_PAUSE_SECONDS, first * REFUSED_PAUSE_SECONDS))
    requested = min(outcome.retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS)
    return delay_seconds(1, first=full, longest=full, jitter=jitter, at_least=requested)
