"""Where waking may lead: hosts and programs that a person allowed, and never a cloud's metadata.

A name is resolved once, every address of it is checked, and connections are made to those alone.
Cloud metadata and link-local addresses are refused whatever is allowed, in every notation.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from socket import SOCK_STREAM, gaierror
from urllib.parse import SplitResult, urlsplit

import anyio

from mcp_memory.config import WakeRoute
from mcp_memory.errors import TargetRefused

_Address = IPv4Address | IPv6Address
_PORTS = {"http": 80, "https": 443}
# Alibaba's, Azure's and Oracle's; Amazon's (with its credentials), Google's, Oracle's, Scaleway's,
# Akamai's and Alibaba's. The others are link-local.
_METADATA = [
    ip_network(network)
    for network in (
        *("100.100.100.200", "168.63.129.16", "192.0.0.192"),
        *("fd00:ec2::/32", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42"),
        *("fd00:a9fe:a9fe::1", "fd00:100::100:200"),
    )
]
# Linux takes all of it for this machine or for nothing.
_THIS_NETWORK = ip_network("0.0.0.0/8")
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
# What inet_aton takes for an address though nobody writes one so: 2130706433, 0177.1, 0x7f.1
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class Destination:
    """A checked place: what to connect to, and the name that the server there goes by."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: Sequence[str]

    def url_at(self, address: str) -> str:
        """The URL with a checked address in place of the name."""
        return f"{self.scheme}://{_host_in_url(address)}:{self.port}{self.path}"

    @property
    def host_header(self) -> str:
        """The Host header that the URL as it was written would send."""
        host = _host_in_url(self.host)
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Targets:
    """What is allowed: host, host:port, address, network, or the absolute path of a program."""

    entries: Sequence[str]

    @classmethod
    def of_own(cls, route: WakeRoute) -> "Targets":
        """What a route of the configuration itself names: its author allowed it by writing it."""
        if route.url is None:
            return cls(route.command[:1])
        parts = _parts(route.url.reveal())
        return cls([f"{_host_in_url(_host(parts))}:{_port(parts)}"])

    def check(self, route: WakeRoute) -> None:
        """`TargetRefused` when the route leads elsewhere; names are not resolved here."""
        if route.url is None:
            self._check_program(route.command[0])
            return
        parts = _parts(route.url.reveal())
        host, port = _host(parts), _port(parts)
        literal = _literal(host)
        if literal is not None:
            _check_reach(host, literal)
        if not any(_matches(entry, host, port, literal) for entry in self.entries):
            target = f"{_host_in_url(host)}:{port}"
            raise TargetRefused(target, f"it is not among wake.allowed_targets; add {target!r}")

    async def destination(self, url: str) -> Destination:
        """Where to connect to for this URL, resolved and checked."""
        parts = _parts(url)
        host, port = _host(parts), _port(parts)
        addresses = await _resolve(host, port)
        for address in addresses:
            self._check_address(host, address)
        path = parts.path or "/"
        query = f"?{parts.query}" if parts.query else ""
        tried = list(map(str, addresses))
        return Destination(parts.scheme, host, port, path + query, tried)

    def _check_program(self, program: str) -> None:
        if program not in self.entries:
            raise TargetRefused(program, "it is not among wake.allowed_targets; add its path there")

    def _check_address(self, host: str, address: _Address) -> None:
        _check_reach(host, address)
        is_plain = host == "localhost" or _literal(host) is not None
        if _inner_address(address).is_loopback and not is_plain and not self._has_network(address):
            raise TargetRefused(
                host, "its name leads to this machine; write localhost or 127.0.0.1"
            )

    def _has_network(self, address: _Address) -> bool:
        return any(_contains(entry, address) for entry in self.entries)


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise TargetRefused("the url", "it is not a valid address") from None
    if parts.port == 0:
        raise TargetRefused("the url", "nobody can be reached at port 0")
    if parts.scheme not in _PORTS or not host:
        raise TargetRefused("the url", "it must be http:// or https:// with a host")
    if parts.username is not None or parts.password is not None:
        raise TargetRefused(host, "a url may not hold a login; use token")
    return parts


def _host(parts: SplitResult) -> str:
    """The host in lower case: a plain address, or a name that cannot be taken for one."""
    host = (parts.hostname or "").rstrip(".")
    if "%" in host:
        raise TargetRefused(host[:80], "an address must be written without a zone")
    if _literal(host) is None and not _NAME.fullmatch(host):
        raise TargetRefused(host[:80], "its name has characters that no name has")
    if _literal(host) is None and _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise TargetRefused(host[:80], "an address must be written in its usual form")
    return host


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]


def _literal(host: str) -> _Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _host_in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _matches(entry: str, host: str, port: int, literal: _Address | None) -> bool:
    plain = entry.lower().rstrip(".")
    if plain in (host, _host_in_url(host), f"{_host_in_url(host)}:{port}"):
        return True
    return literal is not None and _contains(entry, literal)


def _contains(entry: str, address: _Address) -> bool:
    """Whether the entry is a network, or an address, that this one lies in."""
    try:
        return _inner_address(address) in ip_network(entry, strict=False)
    except ValueError:
        return False


def _check_reach(host: str, address: _Address) -> None:
    """`TargetRefused` for what is never posted to."""
    real = _inner_address(address)
    if real.is_loopback:
        return
    if real.is_link_local or any(real in network for network in _METADATA):
        raise TargetRefused(host, "link-local and metadata addresses are never rung")
    if real.is_multicast or real.is_unspecified or real.is_reserved or real in _THIS_NETWORK:
        raise TargetRefused(host, "it is not the address of one machine")


def _inner_address(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 one stands for, else itself."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address.teredo is not None:
        inner = address.teredo[1]
    is_tail = address in _NAT64 or (address in _COMPATIBLE and int(address) > 1)
    if inner is None and is_tail:
        inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    return inner or address


async def _resolve(host: str, port: int) -> list[_Address]:
    literal = _literal(host)
    if literal is not None:
        return [literal]
    try:
        matches = await anyio.getaddrinfo(host, port, type=SOCK_STREAM)
    except (gaierror, UnicodeError) as exc:
        raise TargetRefused(host, "its name leads nowhere") from exc
    return [ip_address(match[4][0]) for match in matches]
