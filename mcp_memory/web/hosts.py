"""Which Host and Origin headers are answered: else any web page could speak to this server."""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY_ADDRESS = frozenset({"0.0.0.0", "::", ""})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Hosts:
    """The names that this server goes by: loopback's, where it listens, and the allowed ones.

    A name without a port goes with every port.
    """

    def __init__(self, listening: str, allowed: Iterable[str]) -> None:
        own = _LOOPBACK if listening in _ANY_ADDRESS else {*_LOOPBACK, listening}
        self._names = frozenset(name.lower().rstrip(".") for name in {*own, *allowed})

    def answers(self, host: str | None) -> bool:
        """Whether a Host header names this server."""
        if not host or any(mark in host for mark in "/@?#\\, "):
            return False
        try:
            parts = urlsplit(f"//{host}")
            port, name = parts.port, (parts.hostname or "").rstrip(".")
        except ValueError:
            return False
        shown = f"[{name}]" if ":" in name else name
        return not self._names.isdisjoint({name, shown, f"{shown}:{port}"})

    def trusts(self, origin: str | None) -> bool:
        """Whether a page of this origin may speak to this server; no page at all may."""
        if origin is None:
            return True
        scheme, separator, host = origin.partition("://")
        return bool(separator) and scheme in ("http", "https") and self.answers(host)
