"""Which messages were announced already, in a memory that stays small."""

from collections.abc import Container

_KEPT = 10_000


class Seen:
    """Ids of messages.

    The greatest one alone would not do: ids are given out before transactions commit, so a smaller
    one may become visible after a greater one.
    """

    def __init__(self) -> None:
        self._ids: dict[int, None] = {}

    def __contains__(self, id: int) -> bool:
        return id in self._ids

    def add(self, id: int) -> None:
        """Remember it."""
        self._ids[id] = None

    def forget_all_but(self, unread: Container[int]) -> None:
        """Forget what can hardly come again: what is not unread, the latest ones apart."""
        if len(self._ids) > 2 * _KEPT:
            old = [*self._ids][:-_KEPT]
            for id in old:
                if id not in unread:
                    del self._ids[id]
