"""Where rings may go: allowed places, and none of those that only look like them."""

import pytest

from mcp_memory.config import WakeRoute
from mcp_memory.errors import TargetRefused
from mcp_memory.messaging.wake import targets as rooms
from mcp_memory.messaging.wake.targets import Targets

ANYWHERE = Targets(["0.0.0.0/0", "::/0", "evil.example", "localhost", "169.254.169.254"])
FORBIDDEN = [
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://2852039166/",
    "http://0xA9FEA9FE/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://0/",
    "http://0.0.0.0/",
    "http://[::]/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://user:password@127.0.0.1/",
    "http://127.0.0.1\\@evil.example/",
    "http://evil example/",
    "http://evil.example:99999/",
    "http:///nowhere",
    "http://①②⑦.⓪.⓪.①/",
]


def route(url: str) -> WakeRoute:
    return WakeRoute.model_validate({"kind": "webhook", "url": url})


@pytest.mark.parametrize("url", FORBIDDEN)
async def test_is_refused_whatever_is_allowed(url: str) -> None:
    with pytest.raises(TargetRefused):
        await ANYWHERE.destination(url)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("evil.example", "169.254.169.254"),
        ("evil.example", "fd00:ec2::254"),
        ("evil.example", "::ffff:169.254.169.254"),
        ("evil.example", "fe80::1"),
        ("evil.example", "127.0.0.1"),
        ("evil.example", "::1"),
    ],
)
async def test_a_name_that_leads_there_is_refused(
    name: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second answer alone is bad: every one is looked at.
    monkeypatch.setattr(rooms.anyio, "getaddrinfo", resolver("93.184.215.14", address))

    with pytest.raises(TargetRefused):
        await Targets([name]).destination(f"https://{name}/hook")


async def test_a_name_is_resolved_once_and_its_address_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rooms.anyio, "getaddrinfo", resolver("93.184.215.14"))

    place = await Targets(["hooks.example.com"]).destination("https://Hooks.Example.com./a?b=c")

    assert place.url == "https://93.184.215.14:443/a?b=c"
    assert (place.host, place.host_header) == ("hooks.example.com", "hooks.example.com")


def resolver(*addresses: str) -> object:
    """A stand-in for the network's own name service."""

    async def resolve(host: str, port: int, *, type: int) -> list[object]:
        del host, type
        return [(None, None, None, "", (address, port)) for address in addresses]

    return resolve


@pytest.mark.parametrize(
    ("entries", "url", "is_allowed"),
    [
        ([], "http://127.0.0.1:18789/", False),
        (["127.0.0.1"], "http://127.0.0.1:18789/", True),
        (["127.0.0.1:18789"], "http://127.0.0.1:18789/", True),
        (["127.0.0.1:18789"], "http://127.0.0.1:18790/", False),
        (["127.0.0.0/8"], "http://127.0.0.1:18789/", True),
        (["127.0.0.1"], "http://[::ffff:127.0.0.1]/", True),
        (["::1"], "http://[::1]:80/", True),
        (["[::1]:8080"], "http://[::1]:8080/", True),
        (["localhost"], "http://localhost:9/", True),
        (["localhost"], "http://127.0.0.1:9/", False),
        (["hooks.example.com"], "https://hooks.example.com/a", True),
        (["hooks.example.com"], "https://HOOKS.example.COM./a", True),
        (["hooks.example.com"], "https://hooks.example.com.evil.example/", False),
        (["hooks.example.com:443"], "https://hooks.example.com/", True),
        (["hooks.example.com:443"], "http://hooks.example.com/", False),
        (["10.0.0.0/8"], "http://10.1.2.3/", True),
        (["10.0.0.0/8"], "http://11.1.2.3/", False),
        (["0.0.0.0/0"], "http://169.254.169.254/", False),
    ],
)
def test_only_what_is_allowed_is_rung(entries: list[str], url: str, *, is_allowed: bool) -> None:
    if is_allowed:
        Targets(entries).check(route(url))
    else:
        with pytest.raises(TargetRefused):
            Targets(entries).check(route(url))


def test_a_program_is_allowed_by_its_whole_path() -> None:
    command = WakeRoute.model_validate({"kind": "command", "command": ["/bin/true", "x"]})

    Targets(["/bin/true"]).check(command)
    for entries in ([], ["/bin"], ["true"], ["/bin/true x"], ["0.0.0.0/0"]):
        with pytest.raises(TargetRefused):
            Targets(entries).check(command)


def test_the_configurations_own_route_is_allowed_by_being_there() -> None:
    for url in ("http://127.0.0.1:18789/hooks/wake", "https://[::1]/x", "http://openclaw:18789"):
        Targets.of_own(route(url)).check(route(url))
    with pytest.raises(TargetRefused):
        Targets.of_own(route("http://169.254.169.254/")).check(route("http://169.254.169.254/"))


async def test_this_machine_by_its_own_name_is_rung() -> None:
    place = await Targets(["localhost"]).destination("http://localhost:18789/hooks/wake")

    assert place.url in (
        "http://127.0.0.1:18789/hooks/wake",
        "http://[::1]:18789/hooks/wake",
    )
    assert place.host_header == "localhost:18789"
