"""Conversations that a recording keeps and summarizes, and what it asks of them."""

from lab.golden_calls import Call, call, calls

_NUL = "a\x00b"


def _messages(*rows: tuple[str, str, str, str, str]) -> list[dict[str, object]]:
    return [
        {"id": i, "role": role, "speaker": speaker, "content": content, "created_at": at}
        for i, role, speaker, content, at in rows
    ]


_BOAT = _messages(
    ("b1", "user", "Ada", "Which boat did Ben take on Friday?", "2024-05-03T09:00:00Z"),
    ("b2", "assistant", "Helper", "The kittiwake, from the north pier.", "2024-05-03T09:00:10Z"),
    ("b3", "user", "Ada", "And who paid for the diesel?", "2024-05-03T09:01:00Z"),
    ("b4", "assistant", "Helper", "Carol paid 84 euros for the diesel.", "2024-05-03T09:01:20Z"),
    ("b5", "tool", "ledger", "ledger: diesel 84.00 EUR Carol", "2024-05-03T09:01:25Z"),
    ("b6", "user", "Ada", "Remind me to thank Carol tomorrow.", "2024-05-03T15:00:00Z"),
    ("b7", "assistant", "Helper", "I will remind you on Saturday.", "2024-05-03T15:00:05Z"),
)

_LAMP = _messages(
    *(
        (
            f"l{n}",
            "user" if n % 2 else "assistant",
            "Ada" if n % 2 else "Helper",
            text,
            f"2024-06-{n + 1:02d}T08:00:00Z",
        )
        for n, text in enumerate(
            [
                "The lamp flickers at night.",
                "Did you check the fuse?",
                "The fuse is fine, the relay clicks.",
                "Then replace the relay K7.",
                "Relay K7 is replaced; it works.",
                "Good. Log it in the handbook.",
                "Done, in chapter 3.",
                "Shall I order another relay?",
                "Yes, order two from Harbour Electric.",
                "Ordered, order number HE-2291.",
            ],
            start=1,
        )
    ),
)

WRITES: list[Call] = [
    call("ada", "transcript", action="append", session_id="boat", messages=_BOAT, source="chat"),
    call("ada", "transcript", action="append", session_id="boat", messages=_BOAT[:2]),
    call(
        "ada",
        "transcript",
        action="append",
        session_id="lamp",
        messages=_LAMP,
        source="claude-code",
        context_tokens_used=60_000,
        context_window=100_000,
    ),
    call(
        "ada",
        "transcript",
        action="append",
        session_id="lamp",
        messages=[
            {"role": "user", "content": "A message without an id."},
            {"role": "user", "content": "My key is sk-ant-REDACTED."},
            {
                "role": "system",
                "content": "Be brief.",
                "id": "s1",
                "metadata": {"cwd": "/srv/lamp", "branch": "feature/lamp"},
            },
        ],
    ),
    call(
        "ben",
        "transcript",
        action="append",
        session_id="boat",
        messages=[
            {
                "role": "user",
                "content": "Ben's private talk about the puffin.",
                "id": "b1",
                "created_at": "2024-05-04T10:00:00Z",
            }
        ],
    ),
    call(
        "ben",
        "transcript",
        action="append",
        session_id="ben-2",
        messages=[
            {
                "role": "user",
                "content": "The anchor chain weighs 120 kg.",
                "id": "x1",
                "created_at": "2024-05-05T10:00:00+02:00",
            }
        ],
    ),
    *calls(
        "ada",
        "transcript",
        [
            {"messages": _BOAT},
            {"session_id": "boat"},
            {"session_id": "boat", "messages": []},
            {"session_id": "boat", "messages": [{"role": "user"}]},
            {"session_id": "boat", "messages": [{"role": "robot", "content": "x"}]},
            {"session_id": "boat", "messages": [{"role": "user", "content": _NUL}]},
            {"session_id": "boat", "messages": [{"role": "user", "content": ""}]},
            {"session_id": "boat", "messages": [{"role": "user", "content": "x", "mood": "good"}]},
            {
                "session_id": "boat",
                "messages": [{"role": "user", "content": "x", "created_at": "soon"}],
            },
            {"session_id": "boat", "messages": ["hello"]},
            {"session_id": _NUL, "messages": _BOAT},
            {"session_id": "boat", "messages": _BOAT, "context_tokens_used": -1},
        ],
        action="append",
    ),
    call(
        "ada",
        "transcript",
        action="summarize",
        session_id="lamp",
        summary="The lamp flickered; relay K7 was the cause.",
        seq_from=1,
        seq_to=4,
        save={"sum1": "summary_id"},
    ),
    call(
        "ada",
        "transcript",
        action="summarize",
        session_id="lamp",
        summary="Relay K7 was replaced and two more were ordered (HE-2291).",
        seq_from=5,
        seq_to=10,
        save={"sum2": "summary_id"},
    ),
    call(
        "ada",
        "transcript",
        action="summarize",
        session_id="lamp",
        summary="The flickering lamp was repaired by a new relay.",
        summary_ids=["$sum1", "$sum2"],
        save={"sum3": "summary_id"},
    ),
    *calls(
        "ada",
        "transcript",
        [
            {"session_id": "lamp", "summary": "overlap", "seq_from": 3, "seq_to": 6},
            {"session_id": "lamp", "summary": "beyond", "seq_from": 11, "seq_to": 99},
            {"session_id": "lamp", "summary": "backwards", "seq_from": 6, "seq_to": 3},
            {"session_id": "lamp", "seq_from": 11, "seq_to": 12},
            {"summary": "x", "seq_from": 1},
            {"session_id": "none", "summary": "x", "seq_from": 1, "seq_to": 2},
            {"session_id": "lamp", "summary": "x", "summary_ids": ["999"]},
            {"session_id": "lamp", "summary": "x"},
        ],
        action="summarize",
    ),
]

READS: list[Call] = [
    *(
        call("ada", "transcript", action="search", query=query, match=match)
        for query in ("who paid for the diesel", "relay K7", "north pier", "puffin")
        for match in ("hybrid", "semantic", "exact")
    ),
    *calls(
        "ada",
        "transcript",
        [
            {"context": 1},
            {"max_results": 1},
            {"role": "assistant"},
            {"speaker": "Ada"},
            {"session_id": "boat"},
            {"source": "claude-code"},
            {"exclude_sources": ["claude-code"]},
            {"human_only": True},
            {"since": "2024-06-04"},
            {"until": "2024-06-04"},
            {"last_days": 3},
            {"last_days": 10_000},
            {"limit": 0},
            {"session_id": "none"},
        ],
        action="search",
        query="relay",
    ),
    call("ada", "transcript", action="search", query="ledger diesel", role="tool"),
    call("ben", "transcript", action="search", query="relay K7"),
    call("ben", "transcript", action="search", query="anchor chain", context=2),
    call("ada", "transcript", action="recent", limit=4, pages=6),
    *calls(
        "ada",
        "transcript",
        [
            {"session_id": "boat"},
            {"role": "user"},
            {"speaker": "Helper"},
            {"human_only": True},
            {"source": "chat"},
            {"since": "2024-06-01"},
            {"until": "2024-05-31"},
        ],
        action="recent",
    ),
    call("ada", "transcript", action="get", message_ids=["b1", "b4"]),
    call("ada", "transcript", action="get", session_id="lamp", seq_from=2, seq_to=5),
    call("ada", "transcript", action="get", session_id="lamp"),
    call("ada", "transcript", action="get", message_ids=["none"]),
    call("ada", "transcript", action="get", message_ids=[]),
    call("ben", "transcript", action="get", message_ids=["b1", "x1"]),
    call("ben", "transcript", action="get", session_id="lamp", seq_from=1, seq_to=2),
    call("ada", "transcript", action="get"),
    call("ada", "transcript", action="get", session_id="lamp", seq_from=5, seq_to=2),
    call("ada", "transcript", action="gaps"),
    call("ada", "transcript", action="gaps", min_hours=24, session_id="lamp", limit=2),
    call("ada", "transcript", action="gaps", min_hours=0),
    *(
        call(agent, "transcript", action=action)
        for agent in ("ada", "ben")
        for action in ("stats", "sessions", "summaries")
    ),
    call("ada", "transcript", action="sessions", limit=1, pages=4),
    call("ada", "transcript", action="sessions", source="chat"),
    call("ada", "transcript", action="summaries", session_id="lamp"),
    call("ada", "transcript", action="summaries", session_id="lamp", limit=1, pages=4),
    call("ada", "transcript", action="summaries", query="relay"),
    call("ada", "transcript", action="summaries", query="nothing like it"),
    call("ada", "transcript", action="expand", summary_id="$sum3"),
    call("ada", "transcript", action="expand", summary_id="$sum3", include_messages=True),
    call(
        "ada", "transcript", action="expand", summary_id="$sum3", include_messages=True, max_depth=0
    ),
    call(
        "ada",
        "transcript",
        action="expand",
        summary_id="$sum3",
        include_messages=True,
        max_tokens=30,
    ),
    call("ben", "transcript", action="expand", summary_id="$sum3"),
    call("ada", "transcript", action="expand", summary_id="999"),
    call("ada", "transcript", action="expand"),
    *(
        call("ada", "transcript", action="resume", session_id="lamp", max_tokens=tokens)
        for tokens in (4000, 120, 60, 20, 1)
    ),
    call("ada", "transcript", action="resume", session_id="none"),
    call("ben", "transcript", action="resume", session_id="boat"),
    *calls(
        "ada",
        "transcript",
        [
            {},
            {"action": "rewind"},
            {"action": "search"},
            {"action": "search", "query": ""},
            {"action": "search", "query": "x", "match": "fuzzy"},
            {"action": "search", "query": "x", "role": "robot"},
            {"action": "search", "query": "x", "since": "7d", "last_days": 3},
            {"action": "search", "query": "x", "context": 21},
            {"action": "search", "query": "x", "since": "once"},
            {"action": "recent", "limit": 501},
            {"action": "recent", "cursor": "nonsense"},
            {"action": "resume"},
            {"action": "resume", "session_id": "lamp", "max_tokens": 0},
            {"action": "stats", "database": "nowhere"},
            {"action": "stats", "colour": "red"},
        ],
    ),
]
