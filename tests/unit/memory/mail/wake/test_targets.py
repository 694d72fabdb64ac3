"""Where rings may go: allowed places, and none of those that only look like them."""

import pytest

from mcp_memory.config import WakeRoute
from mcp_memory.errors import TargetRefused
from mcp_memory.memory.mail.wake import targets
from mcp_memory.memory.mail.wake.targets import Targets

ANYWHERE = Targets(["0.0.0.0/0", "::/0", "evil.example", "localhost", "169.254.169.254"])
FORBIDDEN = [
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[FD00:EC2::254]/",
    "http://[fd00:ec2::23]/",
    "http://[fd00:ec2::254%251]/",
    "http://[fd20:ce::254]/",
    "http://[fd00:c1::a9fe:a9fe]/",
    "http://[fd00:42::42]/",
    "http://[fd00:a9fe:a9fe::1]/",
    "http://[fd00:100::100:200]/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    "HTTP://169.254.169.254./",
    "http://169.254.169.254:80#@evil.example/",
    "http://169.254.170.2/v2/credentials",
    "http://169。254。169。254/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b::6464:64c8]/",
    "http://[64:ff9b:1::a9fe:a9fe]/",
    "http://[::ffff:0:169.254.169.254]/",
    "http://[::FFFF:A9FE:A9FE]/",
    "http://[::ffff:100.100.100.200]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2002:6464:64c8::]/",
    # Teredo keeps the client's address with every bit turned.
    "http://[2001:0:5db8:d70e:0:ffff:5601:5601]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[::1%25lo]/",
    "http://2852039166/",
    "http://2852039166./",
    "http://0x7f000001/",
    "http://017700000001/",
    "http://127.1/",
    "http://127.0.0.0x1/",
    "http://0xA9FEA9FE/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://0/",
    "http://0.0.0.0/",
    "http://0.1.2.3/",
    "http://[::0.0.0.2]/",
    "http://[::ffff:0.0.0.0]/",
    "http://[::]/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[ff02::1]/",
    "http://user:password@127.0.0.1/",
    "http://user@127.0.0.1/",
    "http://:@127.0.0.1/",
    "http://evil.example@169.254.169.254/",
    "http://127.0.0.1\\@evil.example/",
    "http://evil example/",
    "http://evil%2eexample/",
    "http://evil..example/",
    "http://.evil.example/",
    "http://evil.example:99999/",
    "http://evil.example:-1/",
    "http://evil.example:http/",
    "http://[::1/",
    "http://[v1.fe80::1]/",
    "http://ev\u0131l.example/",
    "http://xn--\u00e9.example/",
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
        ("evil.example", "fe80::1%2"),
        ("evil.example", "64:ff9b::a9fe:a9fe"),
        ("evil.example", "2002:a9fe:a9fe::1"),
        ("evil.example", "64:ff9b::7f00:1"),
        ("evil.example", "2002:7f00:1::1"),
        ("evil.example", "0.0.0.0"),
        ("evil.example", "::"),
        ("localhost", "169.254.169.254"),
        ("evil.example", "127.0.0.1"),
        ("evil.example", "::1"),
    ],
)
async def test_a_name_that_leads_there_is_refused(
    name: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second answer alone is bad: every one is looked at.
    monkeypatch.setattr(targets.anyio, "getaddrinfo", resolver("93.184.215.14", address))

    with pytest.raises(TargetRefused):
        await Targets([name]).destination(f"https://{name}/hook")


async def test_a_name_is_resolved_once_and_its_address_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(targets.anyio, "getaddrinfo", resolver("93.184.215.14"))

    place = await Targets(["hooks.example.com"]).destination("https://Hooks.Example.com./a?b=c")

    assert place.addresses == ["93.184.215.14"]
    assert place.url_at(place.addresses[0]) == "https://93.184.215.14:443/a?b=c"
    assert (place.host, place.host_header) == ("hooks.example.com", "hooks.example.com")


async def test_line_ends_in_an_address_reach_no_header() -> None:
    url = "http://127.0.0.1:80/a\r\nX-Evil: 1\r\n\r\n?b\tc"

    place = await Targets(["127.0.0.1"]).destination(url)

    written = place.host_header + place.url_at(place.addresses[0])
    assert written == "127.0.0.1http://127.0.0.1:80/aX-Evil: 1?bc"


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

    assert {place.url_at(each) for each in place.addresses} <= {
        "http://127.0.0.1:18789/hooks/wake",
        "http://[::1]:18789/hooks/wake",
    }
    assert place.host_header == "localhost:18789"
