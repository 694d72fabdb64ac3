"""What a recording does with a build, door by door: stdio, HTTP, the bridge, the command line."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from lab import golden_documents as documents
from lab import golden_facts as facts
from lab import golden_transcripts as transcripts
from lab.golden_calls import Call
from lab.golden_changes import DATABASES, FORGETTING
from lab.golden_commands import ERRORS, HELP, HOOKS, RUNS, write_files
from lab.golden_mail import FOREIGN, MAIL, NEUTRAL
from lab.golden_programs import Bridge, Build
from lab.golden_recording import Recording, settle, tool_answer, wait_for_vectors
from lab.golden_searches import SEARCHES

_AGENTS = ("ada", "ben")
_RESOURCES = (
    "memory://inbox",
    "memory://main/documents/MEMORY.md",
    "memory://main/documents/memory/2024-03-06.md",
    "memory://life/documents/life/notes.md",
    "memory://main/documents/none.md",
    "memory://nowhere/documents/MEMORY.md",
    "memory://main/documents/../x.md",
    "memory://nothing",
)
_PROMPTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("recall", {"topic": "the lamp"}),
    ("recall", {}),
    ("daily_note", {}),
    ("daily_note", {"highlights": "the relay"}),
    ("save_before_compaction", {"session_id": "lamp"}),
    ("save_before_compaction", {}),
    ("none", {}),
)
# What is written first; then everything is read; what is read may be forgotten at the end.
_WRITING: tuple[tuple[str, Sequence[Call]], ...] = (
    ("documents", documents.WRITES),
    ("transcripts", transcripts.WRITES),
    ("facts", facts.WRITES),
)
_READING: tuple[tuple[str, Sequence[Call]], ...] = (
    ("search", SEARCHES),
    ("documents", documents.READS),
    ("transcripts", transcripts.READS),
    ("facts", facts.READS),
    ("mail", MAIL),
    ("foreign", FOREIGN),
    ("neutral", NEUTRAL),
    ("forgetting", FORGETTING),
    ("databases", DATABASES),
)


async def record_stdio(build: Build, recording: Recording) -> None:
    """Every tool, prompt and resource, asked by two agents at servers of their own."""
    async with AsyncExitStack() as stack:
        clients = {name: await stack.enter_async_context(build.stdio(name)) for name in _AGENTS}
        ada = clients["ada"]
        for name in _AGENTS:
            recording.add(f"first: {name}", await tool_answer(clients[name], *_CURRENT))
        await _record_offers(ada, recording, "offers")
        for family, calls in _WRITING:
            await _record_calls(clients, recording, family, calls)
        await settle(ada)
        for family, calls in _READING:
            await _record_calls(clients, recording, family, calls)
        await _record_prompts_and_resources(clients["ben"], recording)
        recording.add("unknown tool", await tool_answer(ada, "memory_dream", {}))
    async with build.stdio("ada", mode="legacy") as legacy:
        await _record_offers(legacy, recording, "legacy offers")
        recording.add("legacy: current", await tool_answer(legacy, *_CURRENT))


_CURRENT: tuple[str, dict[str, object]] = ("memory_current_database", {})


async def _record_calls(
    clients: Mapping[str, Client], recording: Recording, family: str, calls: Sequence[Call]
) -> None:
    """Calls in their order; what depends on vectors waits for those of the writes before."""
    for each in calls:
        client = clients[each.agent]
        if family in ("facts", "forgetting"):
            await wait_for_vectors(client)
        await recording.call(client, family, each)


async def _record_offers(client: Client, recording: Recording, family: str) -> None:
    """What the server says of itself and offers."""
    recording.add(f"{family}: protocol", str(client.protocol_version))
    recording.add(f"{family}: instructions", client.instructions)
    recording.add(f"{family}: capabilities", client.server_capabilities.model_dump(mode="json"))
    for tool in (await client.list_tools()).tools:
        recording.add(f"{family}: tool {tool.name}", tool.model_dump(mode="json"))
    names = [tool.name for tool in (await client.list_tools()).tools]
    recording.add(f"{family}: tools", names)
    prompts, resources = await client.list_prompts(), await client.list_resources()
    templates = await client.list_resource_templates()
    for name, answer in (("prompts", prompts), ("resources", resources), ("templates", templates)):
        recording.add(f"{family}: {name}", answer.model_dump(mode="json", exclude={"meta"}))


async def _record_prompts_and_resources(client: Client, recording: Recording) -> None:
    for name, arguments in _PROMPTS:
        label = f"prompt: {name} {json.dumps(arguments)}"
        try:
            answer = await client.get_prompt(name, arguments)
            recording.add(label, answer.model_dump(mode="json", exclude={"meta"}))
        except MCPError as exc:
            recording.add(label, {"rpc_error": exc.error.code, "message": exc.error.message})
    for uri in _RESOURCES:
        try:
            read = await client.read_resource(uri)
            recording.add(f"resource: {uri}", read.model_dump(mode="json", exclude={"meta"}))
        except MCPError as exc:
            answer = {"rpc_error": exc.error.code, "message": exc.error.message}
            recording.add(f"resource: {uri}", answer)


_REQUESTS: tuple[tuple[str, str, object], ...] = (
    ("GET", "/healthz", None),
    ("GET", "/readyz", None),
    ("GET", "/", None),
    ("GET", "/none", None),
    ("POST", "/healthz", {}),
    ("GET", "/api/search?query=kittiwake&max_results=1", None),
    ("GET", "/api/search?query=generator&tags=diary&explain=true", None),
    ("GET", "/api/search?query=lamp&sources=transcripts&sources=graph", None),
    ("GET", '/api/search?query=lamp&sources=["transcripts"]', None),
    ("GET", "/api/search", None),
    ("GET", "/api/search?query=", None),
    ("GET", "/api/search?query=x&max_results=0", None),
    ("GET", "/api/search?query=x&max_results=1&max_results=2", None),
    ("GET", "/api/search?query=x&colour=red", None),
    ("GET", "/api/search?query=x&database=nowhere", None),
    ("POST", "/api/search", {"query": "x"}),
    ("POST", "/api/ingest", {"path": "http.md", "content": "Written over HTTP."}),
    ("POST", "/api/ingest", {"path": "http.md", "content": "x", "expected_version": 7}),
    ("POST", "/api/ingest", {"path": "../x", "content": "x"}),
    ("POST", "/api/ingest", {"path": "x.md"}),
    (
        "POST",
        "/api/ingest",
        {
            "session_id": "web",
            "messages": [
                {"role": "user", "content": "Hi", "id": "h1", "created_at": "2024-07-01T00:00:00Z"}
            ],
        },
    ),
    ("POST", "/api/ingest", {"session_id": "web", "messages": [{"role": "user"}]}),
    ("POST", "/api/ingest", {}),
    ("POST", "/api/ingest", ["x"]),
    ("GET", "/api/ingest", None),
    ("GET", "/mcp", None),
    ("DELETE", "/mcp", None),
    ("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
    ("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "none/such"}),
    ("POST", "/mcp", {}),
)
_HEADERS: tuple[dict[str, str], ...] = (
    {"Host": "evil.example.com"},
    {"Origin": "https://evil.example.com"},
    {"Authorization": "Bearer mm_000000000000_wrong"},
    {"Authorization": "Bearer nonsense"},
    {"Authorization": "Basic YTpi"},
)


async def record_http(build: Build, recording: Recording) -> None:
    """The routes over HTTP without keys, and then with them; the bridge beside it."""
    async with build.http("--agent", "ada") as client:
        for method, path, body in _REQUESTS:
            await _record_request(client, recording, "http", method, path, body)
        await _record_strange_bodies(client, recording)
        for headers in _HEADERS:
            for path in ("/healthz", "/api/search?query=kittiwake", "/metrics"):
                await _record_request(client, recording, "http", "GET", path, headers=headers)
        recording.add("http: metrics", await _metric_names(client))
        keys = _made_keys(build, recording)
    async with build.http("--agent", "ada") as client:
        await _record_keys(client, recording, keys)
    _record_bridge(build, recording)


def _made_keys(build: Build, recording: Recording) -> dict[str, str]:
    """A key for each scope; the answers of `keys create` are kept too."""
    keys: dict[str, str] = {}
    for name, options in (
        ("all", ["--scope", "read", "--scope", "write", "--scope", "admin"]),
        ("read", ["--scope", "read"]),
        ("write", ["--scope", "write"]),
        ("life", ["--database", "life", "--expires", "30d"]),
    ):
        answer = build.run(["keys", "create", "--agent", "ben", *options, "--json"])
        recording.add(f"keys: create {name}", answer)
        printed = answer["stdout"]
        assert isinstance(printed, dict)
        keys[name] = str(printed["key"])  # pyright: ignore[reportUnknownArgumentType] JSON of any shape
    return keys


async def _record_keys(
    client: httpx2.AsyncClient, recording: Recording, keys: Mapping[str, str]
) -> None:
    for headers in ({}, *_HEADERS):
        for path in ("/healthz", "/readyz", "/metrics", "/api/search?query=kittiwake", "/", "/mcp"):
            await _record_request(client, recording, "keys", "GET", path, headers=headers)
    document = {"path": "keys.md", "content": "Written with a key."}
    for name, key in keys.items():
        bearer = {"Authorization": f"Bearer {key}"}
        for method, path, body in (
            ("GET", "/api/search?query=kittiwake", None),
            ("GET", "/api/search?query=coast&database=life", None),
            ("POST", "/api/ingest", document),
            ("POST", "/api/ingest", document | {"database": "life"}),
            ("GET", f"/api/search?query=x&token={name}", None),
        ):
            family = f"key {name}"
            await _record_request(client, recording, family, method, path, body, headers=bearer)
        async with httpx2.AsyncClient(headers=bearer, timeout=60) as http:
            transport = streamable_http_client(f"{client.base_url}/mcp", http_client=http)
            async with Client(transport) as mcp:
                for tool, arguments in _KEY_CALLS:
                    answer = await tool_answer(mcp, tool, arguments)
                    recording.add(f"key {name}: {tool} {json.dumps(arguments)}", answer)


_KEY_CALLS: tuple[tuple[str, dict[str, object]], ...] = (
    ("memory_list", {}),
    ("memory_list", {"database": "life"}),
    ("memory_current_database", {}),
    ("memory_search", {"query": "kittiwake"}),
    ("transcript", {"action": "stats"}),
    ("memory_message", {"action": "inbox", "limit": 1}),
    ("memory_message", {"action": "send", "to": "ada", "content": "By key."}),
    ("memory_delete", {"path": "keys.md", "purge": True}),
    ("memory_register_database", {"name": "byhttp"}),
    ("memory_write", {"path": "x.md", "content": "A third database.", "database": "third"}),
)


async def _record_request(
    client: httpx2.AsyncClient,
    recording: Recording,
    family: str,
    method: str,
    path: str,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> None:
    response = await client.request(method, path, json=body, headers=dict(headers or {}))
    shown = [json.dumps(part) for part in (body, headers) if part and not _is_secret(part)]
    name = " ".join([f"{family}:", method, path, *shown])
    if path == "/metrics" and response.status_code == 200:
        recording.add(name, {"status": 200})
    else:
        recording.add(name, _response(response))


def _is_secret(part: object) -> bool:
    """Whether it is a key that works, which is another one in each run."""
    authorization = part.get("Authorization") if isinstance(part, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] JSON of any shape
    return str(authorization).startswith("Bearer mm_") and "wrong" not in str(authorization)  # pyright: ignore[reportUnknownArgumentType] JSON of any shape


def _response(response: httpx2.Response) -> dict[str, object]:
    """Status, body and the headers that a client acts on."""
    try:
        body: object = response.json()
    except ValueError:
        body = response.text
    kept = ("content-type", "www-authenticate", "allow", "location", "cache-control")
    headers = {name: response.headers[name] for name in kept if name in response.headers}
    return {"status": response.status_code, "headers": headers, "body": body}


async def _record_strange_bodies(client: httpx2.AsyncClient, recording: Recording) -> None:
    for name, content, kind in (
        ("no JSON", b"{", "application/json"),
        ("no UTF-8", b'{"path": "\xff"}', "application/json"),
        ("a form", b"a=b", "application/x-www-form-urlencoded"),
        ("NaN", b'{"path": NaN}', "application/json"),
        ("deep", b"[" * 5000 + b"]" * 5000, "application/json"),
        ("too large", b'"' + b"x" * (5 * 1024 * 1024) + b'"', "application/json"),
    ):
        response = await client.post("/api/ingest", content=content, headers={"Content-Type": kind})
        recording.add(f"http: a body that is {name}", _response(response))


async def _metric_names(client: httpx2.AsyncClient) -> list[str]:
    lines = (await client.get("/metrics")).text.splitlines()
    return sorted(line for line in lines if line.startswith("#") and "_created" not in line)


_LINES = (
    '{"id": 1, "method": "_ping", "params": {}}',
    '{"id": 2, "method": "_ping", "params": {"x": 1}}',
    '{"id": 3, "method": "memory_list", "params": {"limit": 2}}',
    '{"id": "four", "method": "memory_search", "params": {"query": "kittiwake"}}',
    '{"id": 5, "method": "memory_get", "params": {"path": "none.md"}}',
    '{"id": 6, "method": "memory_get", "params": {"colour": "red"}}',
    '{"id": 7, "method": "dream"}',
    '{"id": 8}',
    '{"method": "_ping"}',
    '{"id": 9, "method": "_ping", "params": []}',
    '{"id": 10, "method": "_ping", "extra": 1}',
    "nonsense",
    "[]",
    '"text"',
    "{",
    '{"id": 11, "method": "_subscribe", "params": {"channel": "news"}}',
    '{"id": 12, "method": "_subscribe", "params": {}}',
    '{"id": 13, "method": "_unsubscribe", "params": {"channel": "news"}}',
    '{"id": 14, "method": "_cancel", "params": {"id": 99}}',
    '{"id": 15, "method": "memory_message", "params": {"action": "inbox", "limit": 1}}',
    '{"id": 16, "method": "memory_write", "params": {"path": "b.md", "content": "one\\u2028two"}}',
    '{"id": 17, "method": "memory_get", "params": {"path": "b.md"}}',
    '{"id": 18, "method": "memory_write", "params": {"path": "b.md", "content": "a\\u0000b"}}',
    '{"id": {"a": 1}, "method": "_ping"}',
    '{"id": 19, "method": "_shutdown"}',
)


def _record_bridge(build: Build, recording: Recording) -> None:
    """One line after the other, each with what answers it; then what was announced."""
    with build.bridge("ben") as bridge:
        recording.add("bridge: ready", bridge.hear_event())
        for line in _LINES:
            recording.add(f"bridge: {line}", bridge.ask(line))
        recording.add("bridge: end", bridge.hear())
        recording.add("bridge: events", bridge.events)
    with build.bridge("carol") as bridge:
        recording.add("bridge: another is ready", bridge.hear_event())
        _record_event(build, recording, bridge)
        recording.add("bridge: cancel nothing", bridge.ask('{"id": 2, "method": "_cancel"}'))


def _record_event(build: Build, recording: Recording, bridge: Bridge) -> None:
    """New mail is an event."""
    who = '{"id": 1, "method": "memory_current_database"}'
    recording.add("bridge: who it is", bridge.ask(who))
    send = '{"id": 1, "method": "memory_message", "params": {"action": "send", "to": "carol",'
    with build.bridge("ada") as sender:
        recording.add("bridge: send", sender.ask(send + ' "content": "Wake up", "priority": 8}}'))
        recording.add("bridge: event", bridge.hear_event())


def record_commands(build: Build, recording: Recording) -> None:
    """Every command: its help, what it prints, and its errors."""
    helps = [[*command.split(), "--help"] for command in HELP]
    for command, answer in zip(helps, build.run_all(helps), strict=True):
        recording.add(f"help: {' '.join(command)}", answer)
    write_files(build.home)
    # The embedded server runs as long as somebody uses it: without a holder each command starts it.
    with build.bridge("holder") as holder:
        holder.hear_event()
        for command in RUNS:
            recording.add(f"command: {' '.join(command)}", build.run(command))
        for command, answer in zip(ERRORS, build.run_all(ERRORS), strict=True):
            recording.add(f"error: {' '.join(command)}", answer)
        for event, said in HOOKS:
            recording.add(
                f"hook: {event} {json.dumps(said)}",
                build.run(["hook", event, "--agent", "ada"], stdin=json.dumps(said)),
            )
