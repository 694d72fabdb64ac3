"""Which names this server goes by."""

import pytest

from mcp_memory.interfaces.http.gate import Hosts, is_loopback

HOSTS = Hosts("192.168.1.5", ["memory.example.com", "Other.example:8443"])


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8720",
        "127.0.0.1:1",
        "[::1]:8720",
        "192.168.1.5:8720",
        "memory.example.com",
        "memory.example.com.:443",
        "other.example:8443",
    ],
)
def test_its_names_are_answered(host: str) -> None:
    assert HOSTS.answers(host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "localhost.evil.example",
        "evil.example@localhost",
        "localhost@evil.example",
        "localhost/evil.example",
        "localhost, evil.example",
        "localhost:port",
        "[::1",
        "other.example",
        "other.example:8444",
        "0.0.0.0",
        "127.0.0.1.evil.example",
    ],
)
def test_other_names_are_not(host: str | None) -> None:
    assert not HOSTS.answers(host)


@pytest.mark.parametrize(
    ("origin", "is_trusted"),
    [
        (None, True),
        ("http://localhost:3000", True),
        ("https://memory.example.com", True),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
        ("file://", False),
        ("chrome-extension://localhost", False),
    ],
)
def test_only_pages_of_its_own_names_are_trusted(origin: str | None, is_trusted: bool) -> None:
    assert HOSTS.trusts(origin) == is_trusted


def test_listening_everywhere_is_no_name() -> None:
    assert not Hosts("0.0.0.0", []).answers("0.0.0.0:8720")


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("127.evil.example", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, is_ours: bool) -> None:
    assert is_loopback(host) == is_ours
