"""T0: answers kept in this process, each valid for the epoch it was read in.

Between it and the search there is room for T1, a table that processes share, with the same key and
the epochs compared in its statement. Measured (`benchmarks.search --shared-answers`), a hit takes a
ninth of a search, but every search that misses pays for looking, for keeping its answer, and every
write for a row of the epoch: it gains nothing before one in five of the searches that T0 does not
know is a repeat, word for word, by another process of the agent, within the minutes that an answer
may be kept, with nothing written since. So it is not there; a search only reads, on replicas too.
"""

from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

from mcp_memory.recall.epochs import Epoch

Answer = TypeVar("Answer")

# Passing time alone can change an answer (what expires, how recent a thing is).
_MAX_AGE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Answer]):
    epoch: Epoch
    stored_at: float
    answer: Answer


class AnswerCache(Generic[Answer]):
    """The answers used last, at most `entries` of them; none when that is 0.

    The key must hold everything an answer depends on but what is stored: who asks, in which
    database, what, with which model. Empty answers are the caller's to leave out.
    """

    def __init__(self, entries: int) -> None:
        self._most = entries
        self._entries: OrderedDict[object, _Entry[Answer]] = OrderedDict()

    def get(self, key: object, epoch: Epoch | None) -> Answer | None:
        """The answer, if it was read in the epoch that is the current one."""
        entry = self._entries.get(key)
        if entry is None or epoch is None:
            return None
        if entry.epoch != epoch or monotonic() - entry.stored_at > _MAX_AGE_SECONDS:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry.answer

    def put(self, key: object, epoch: Epoch | None, answer: Answer) -> None:
        """Keep an answer that was read in this epoch, determined before reading began."""
        if epoch is None or self._most == 0:
            return
        self._entries[key] = _Entry(epoch, monotonic(), answer)
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)
