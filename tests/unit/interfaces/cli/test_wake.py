"""`wake`: routes in the database, what is refused, and what `doctor` says of them."""

import json
import socket
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast

import pytest

from tests.fixtures.program import Program

SECRET = "a-token-nobody-sees"


class Receiver(BaseHTTPRequestHandler):
    """Answers as OpenClaw's hook does."""

    heard: list[tuple[str, str, dict[str, Any]]]

    def do_POST(self) -> None:
        """Refuse a wrong token, then a call without text."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        token = str(self.headers.get("Authorization"))
        cast("Any", self.server).heard.append((self.path, token, body))
        is_known = token == f"Bearer {SECRET}"
        self.send_response((200 if body.get("text") else 400) if is_known else 401)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
        del format, args


@contextmanager
def gateway() -> Generator[HTTPServer]:
    """A gateway on loopback; its `heard` are path, Authorization and body of each call."""
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    server.heard = []  # pyright: ignore[reportAttributeAccessIssue]  # kept with its server
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def open_program(program: Program) -> Program:
    """The program of somebody who allows this machine as a target."""
    targets = {"MCP_MEMORY__WAKE__ALLOWED_TARGETS": '["127.0.0.1", "/bin/true"]'}
    return Program({**program.environ, **targets, "GATE": SECRET})


def test_a_route_is_added_rung_checked_and_removed(open_program: Program) -> None:
    with gateway() as server:
        url = f"http://127.0.0.1:{server.server_port}/hooks/wake"
        arguments = ("--kind", "openclaw-wake", "--url", url, "--token-env", "GATE")
        added = open_program.run("wake", "add", "bob", *arguments, "--quiet-hours", "22:00-07:00")
        assert (added.code, added.stderr) == (0, "")

        (listed,) = cast(
            "list[dict[str, Any]]", open_program.run("wake", "list", "--json").document
        )
        assert listed == {
            "agent": "bob",
            "from": "added",
            "route": {
                "kind": "openclaw-wake",
                "url": url,
                "token": {"env": "GATE"},
                "quiet_hours": "22:00-07:00",
            },
            "state": "ready",
            "waiting": 0,
            "waiting_since": None,
            "given_up": 0,
            "failures": 0,
        }
        assert open_program.run("wake", "test", "bob").stdout == "bob was rung.\n"
        doctor = open_program.run("doctor", "--json")
        findings = {str(each["check"]): each for each in cast("list[Any]", doctor.document)}
        assert findings["wake bob"]["state"] == "ok"

        path, token, body = cast("Any", server).heard[0]
        assert (path, token) == ("/hooks/wake", f"Bearer {SECRET}")
        assert "test ring" in body["text"]
        # The doctor wakes nobody.
        assert [each[2] for each in cast("Any", server).heard[1:]] == [{}]
        wrong = open_program.run("wake", "test", "bob", GATE="another")
        assert (wrong.code, wrong.stderr) == (1, "mcp-memory: bob was not woken: HTTP 401\n")
    gone = open_program.run("doctor", "--json")
    findings = {str(each["check"]): each for each in cast("list[Any]", gone.document)}
    assert findings["wake bob"]["what"] == "could not connect"
    assert gone.code == 1

    assert open_program.run("wake", "remove", "bob").code == 0
    assert open_program.run("wake", "list", "--json").document == []
    assert open_program.run("wake", "remove", "bob").code == 1
    assert open_program.run("wake", "test", "bob").code == 1


def test_a_secret_is_never_shown_and_never_given(open_program: Program, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(SECRET + "\n")
    url = "http://127.0.0.1:9/?token=shown-nowhere"
    arguments = ("--kind", "webhook", "--url", url, "--token-file", str(file))
    shown = [
        open_program.run("wake", "add", "bob", *arguments),
        open_program.run("wake", "list"),
        open_program.run("wake", "list", "--json"),
        open_program.run("wake", "test", "bob"),
        open_program.run("doctor"),
    ]

    text = "".join(each.stdout + each.stderr for each in shown)
    assert SECRET not in text
    assert "shown-nowhere" not in text
    assert "127.0.0.1:9" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kind", "webhook"], "needs 'url'"),
        (["--kind", "webhook", "--url", "ftp://x"], "http://"),
        (["--kind", "webhook", "--url", "http://10.0.0.1/"], "wake.allowed_targets"),
        (["--kind", "webhook", "--url", "http://169.254.169.254/"], "metadata"),
        (["--kind", "command", "--", "/bin/false"], "wake.allowed_targets"),
        (["--kind", "webhook", "--url", "http://127.0.0.1/", "--token-env", "NONE"], "NONE"),
        (["--kind", "webhook", "--url", "http://127.0.0.1/", "--quiet-hours", "x"], "22:00"),
        (["--kind", "webhook", "--url", "http://127.0.0.1/", "--timeout-seconds", "0"], "timeout"),
        (["--kind", "webhook", "--url", "http://127.0.0.1:0/"], "port"),
    ],
)
def test_what_cannot_be_rung_is_refused(
    open_program: Program, arguments: list[str], said: str
) -> None:
    refused = open_program.run("wake", "add", "bob", *arguments)

    assert refused.code == 1
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert open_program.run("wake", "list", "--json").document == []


@pytest.mark.parametrize("option", ["--token-env", "--token-file"])
def test_an_empty_name_of_a_secret_is_a_mistake(open_program: Program, option: str) -> None:
    url = ("--url", "http://127.0.0.1:9/")
    refused = open_program.run("wake", "add", "bob", "--kind", "webhook", *url, option, "")

    assert refused.code == 2
    assert open_program.run("wake", "list", "--json").document == []


def test_a_number_that_is_0_is_kept(open_program: Program) -> None:
    quiet = ("--quiet-hours", "22:00-07:00", "--urgent-priority", "0")
    program = ("--kind", "command", "--", "/bin/true")
    assert open_program.run("wake", "add", "bob", *quiet, *program).code == 0
    (row,) = cast("list[dict[str, Any]]", open_program.run("wake", "list", "--json").document)
    assert row["route"]["urgent_priority"] == 0


def test_a_route_that_cannot_be_used_here_is_told_as_such(
    open_program: Program, program: Program
) -> None:
    open_program.run("wake", "add", "bob", "--kind", "command", "--", "/bin/true")
    tested = program.run("wake", "test", "bob")
    assert "cannot be used here" in tested.stderr
    assert "wake.allowed_targets" in tested.stderr
    assert "bib" in program.run("wake", "test", "bib").stderr


@pytest.mark.slow
def test_no_log_names_what_is_secret_in_an_address(open_program: Program) -> None:
    with gateway() as server:
        url = f"http://127.0.0.1:{server.server_port}/?token=shown-nowhere"
        open_program.run("wake", "add", "bob", "--kind", "webhook", "--url", url)
        tested = open_program.spawn("--log-level", "debug", "wake", "test", "bob")
        path, _, _ = cast("Any", server).heard[0]

    assert "shown-nowhere" in path
    assert "shown-nowhere" not in tested.stderr + tested.stdout


def test_a_program_is_added_with_its_arguments(open_program: Program) -> None:
    done = open_program.run(
        "wake", "add", "bob", "--kind", "command", "--", "/bin/true", "--quietly"
    )

    assert done.code == 0
    assert open_program.run("wake", "test", "bob").code == 0
    (row,) = cast("list[dict[str, Any]]", open_program.run("wake", "list", "--json").document)
    assert row["route"] == {"kind": "command", "command": ["/bin/true", "--quietly"]}


def test_what_another_process_does_not_allow_it_does_not_ring(
    open_program: Program, program: Program
) -> None:
    open_program.run("wake", "add", "bob", "--kind", "command", "--", "/bin/true")

    (row,) = cast("list[dict[str, Any]]", program.run("wake", "list", "--json").document)
    assert "wake.allowed_targets" in row["state"]
    assert program.run("wake", "test", "bob").code == 1


def test_routes_of_the_settings_need_no_permission_and_are_edited_there(
    program: Program, tmp_path: Path
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        settings = tmp_path / "settings.json"
        route = {"kind": "webhook", "url": url, "token": SECRET}
        settings.write_text(json.dumps({"wake_routes": {"bob": route}}))
        configured = Program({**program.environ, "MCP_MEMORY_CONFIG": str(settings)})

        (row,) = cast("list[dict[str, Any]]", configured.run("wake", "list", "--json").document)
        assert (row["from"], row["route"]["token"]) == ("configuration", "***")
        tested = configured.run("wake", "test", "bob")
        assert tested.stderr == "mcp-memory: bob was not woken: could not connect\n"
    for arguments in (["remove", "bob"], ["add", "bob", "--kind", "command", "--", "/bin/true"]):
        refused = configured.run("wake", *arguments)
        assert refused.code == 1
        assert "configuration" in refused.stderr
