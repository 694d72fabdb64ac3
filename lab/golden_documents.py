"""Documents that a recording writes, and what it asks of them."""

from lab.golden_calls import Call, call, calls

_NUL = "a\x00b"

_BIG = "x" * (1024 * 1024 + 1)

_MEMORY = """# Ada

- Prefers tea over coffee.
- The lighthouse database is backed up at 03:30 UTC; backups are kept for ninety days.
- Reviews PR #42 on branch feature/lamp, in file src/lamp.py.
"""

_LONG = "# Handbook\n\n" + "\n\n".join(
    f"## Chapter {n}\n\nChapter {n} tells how the {noun} is kept. Check the {noun} every {n} days,"
    f" write down what you saw, and ask the {who} before you repair it."
    for n, noun, who in [
        (2, "fog horn", "keeper"),
        (3, "lamp", "engineer"),
        (4, "boathouse", "harbour master"),
        (5, "weather station", "observatory"),
        (6, "radio", "coast guard"),
        (7, "generator", "electrician"),
        (8, "garden", "neighbour"),
    ]
)

WRITES: list[Call] = [
    call("ada", "memory_write", path="MEMORY.md", content=_MEMORY, occurred_at="2024-03-01"),
    call(
        "ada",
        "memory_write",
        path="handbook.md",
        content=_LONG,
        shared=True,
        tags=["handbook", "lighthouse"],
        occurred_at="2024-02-01T10:00:00Z",
    ),
    call(
        "ada",
        "memory_write",
        path="memory/2024-03-05.md",
        content="# 5 March\n\nMet Ben at the pier. Yesterday the generator failed twice.\n",
    ),
    call(
        "ada",
        "memory_write",
        path="memory/2024-03-06.md",
        content="Repaired the generator with Carol; the fuse was the culprit. See [[handbook.md]].",
        tags=["diary"],
        occurred_at="2024-03-06",
    ),
    call(
        "ada",
        "memory_write",
        path="diary/secret.md",
        content="A surprise party for Ben in the boathouse.",
        mode="create",
        tags=["diary", "party"],
        occurred_at="2024-04-01",
    ),
    call(
        "ben",
        "memory_write",
        path="MEMORY.md",
        content="# Ben\n\n- Works at Acme.\n- Sails the kittiwake from the north pier.\n",
        occurred_at="2024-01-15",
    ),
    call(
        "ben",
        "memory_write",
        path="boats.md",
        content="The kittiwake lies at the north pier. The puffin lies at the south pier.",
        shared=True,
        occurred_at="2024-01-20",
    ),
    call(
        "ben",
        "memory_write",
        path="handbook.md",
        content="Ben's own handbook: sails are dried before they are folded.",
        occurred_at="2024-01-21",
    ),
    call(
        "ada",
        "memory_write",
        path="deutsch.md",
        content="Am letzten Dienstag im März haben wir die Lampe gewartet.",
        occurred_at="2024-03-20",
    ),
    call(
        "ada",
        "memory_write",
        path="code.md",
        content="```python\ndef turn_lamp(speed):\n    "
        "return speed * 2\n```\n\nturn_lamp raises ValueError for negative speeds. ID LMP-1042.",
        occurred_at="2024-05-01",
    ),
    call("ada", "memory_write", path="MEMORY.md", content="- Ben's birthday is 7 May.\n"),
    call(
        "ada",
        "memory_write",
        path="MEMORY.md",
        content="- Idempotent line.\n",
        idempotency_key="k1",
    ),
    call(
        "ada",
        "memory_write",
        path="MEMORY.md",
        content="- Idempotent line.\n",
        idempotency_key="k1",
    ),
    call(
        "ada", "memory_write", path="MEMORY.md", content="- Another line.\n", idempotency_key="k1"
    ),
    call("ada", "memory_write", path="todo.md", content="- paint the door\n", mode="replace"),
    call(
        "ada",
        "memory_write",
        path="todo.md",
        content="- paint the roof\n",
        mode="replace",
        expected_version=1,
    ),
    call("ada", "memory_write", path="todo.md", content="- stale\n", expected_version=1),
    call("ada", "memory_write", path="todo.md", content="- must be new\n", expected_version=0),
    call("ada", "memory_write", path="todo.md", content="again", mode="create"),
    call(
        "ada", "memory_write", path="equal-1.md", content="The keeper's phone number is 555-0101."
    ),
    call(
        "ada", "memory_write", path="equal-2.md", content="The keeper's phone number is 555-0101."
    ),
    call(
        "ada",
        "memory_write",
        path="boats.md",
        content="Ada's note of boats, shared too.",
        shared=True,
    ),
    call("ada", "memory_write", path="private-again.md", content="Shared at first.", shared=True),
    call("ada", "memory_write", path="private-again.md", content="Not any more.", shared=False),
    call(
        "ada",
        "memory_write",
        path="ünïcode/日記.md",
        content="灯台の日記 — the lamp\u2019s diary 🙂",
    ),
    call("ada", "memory_write", path="separators.md", content="one\u2028two\u2029three"),
    *(
        call("ada", "memory_write", path=path, content="x")
        for path in (
            "",
            "../up.md",
            "/etc/passwd",
            "a/../b.md",
            "a//b.md",
            "a\\b.md",
            _NUL,
            "x" * 600,
            ".hidden",
            "dir/",
            " spaced .md",
        )
    ),
    call("ada", "memory_write", path="bad.md", content=_NUL),
    call("ada", "memory_write", path="bad.md", content=""),
    call("ada", "memory_write", path="bad.md", content=_BIG),
    call("ada", "memory_write", path="bad.md", content="x", occurred_at="the day before"),
    call("ada", "memory_write", path="bad.md", content="x", mode="prepend"),
    call("ada", "memory_write", path="bad.md", content="x", colour="red"),
    call("ada", "memory_write", path="bad.md", content="x", expected_version=-1),
    call("ada", "memory_write", path="bad.md", content="x", expected_version="two"),
    call("ada", "memory_write", path="bad.md", content="x", tags="one"),
    call("ada", "memory_write", path="bad.md", content="x", tags=[""]),
    call("ada", "memory_write", path="bad.md", content="x", database="No Name"),
    call("ada", "memory_write", path="bad.md"),
    call("ada", "memory_write", content="x"),
    call(
        "ada",
        "memory_write",
        path="life/notes.md",
        content="Buy oats for breakfast.",
        database="life",
    ),
    call(
        "ben",
        "memory_write",
        path="life/plan.md",
        content="Run along the coast.",
        database="life",
        shared=True,
    ),
]

READS: list[Call] = [
    *(
        call("ada", "memory_get", path=path)
        for path in (
            "MEMORY.md",
            "memory/2024-03-06.md",
            "diary/secret.md",
            "ünïcode/日記.md",
            "separators.md",
            "none.md",
            "../x.md",
            "",
            "boats.md",
        )
    ),
    call("ada", "memory_get", path="handbook.md", start_line=3, lines=4),
    call("ada", "memory_get", path="handbook.md", start_line=25),
    call("ada", "memory_get", path="handbook.md", start_line=999),
    call("ada", "memory_get", path="todo.md", version=1),
    call("ada", "memory_get", path="todo.md", version=9),
    call("ben", "memory_get", path="handbook.md"),
    call("ben", "memory_get", path="handbook.md", owner="ada"),
    call("ben", "memory_get", path="boats.md", owner="ada"),
    call("ben", "memory_get", path="diary/secret.md"),
    call("ben", "memory_get", path="diary/secret.md", owner="ada"),
    call("ben", "memory_get", path="life/plan.md", database="life"),
    *calls(
        "ada",
        "memory_get",
        [
            {},
            {"id": "999999"},
            {"id": "abc"},
            {"path": "MEMORY.md", "id": "1"},
            {"path": "MEMORY.md", "start_line": 0},
            {"path": "MEMORY.md", "lines": 0},
            {"path": "MEMORY.md", "version": -1},
            {"path": "MEMORY.md", "database": "nowhere"},
            {"path": "MEMORY.md", "owner": "no such owner!"},
        ],
    ),
    *(call("ada", "memory_get", id=str(n)) for n in (1, 2, 3, 9)),
    *(call("ada", "memory_get", id=f"${name}") for name in ("job", "tea", "pin", "mast")),
    call("ada", "memory_list"),
    call("ben", "memory_list"),
    call("ada", "memory_list", prefix="memory/"),
    call("ada", "memory_list", tags=["diary"]),
    call("ada", "memory_list", limit=3, pages=8),
    call("ada", "memory_list", database="life"),
    *calls(
        "ada",
        "memory_list",
        [
            {"limit": 0},
            {"limit": 501},
            {"cursor": "nonsense"},
            {"prefix": "../"},
            {"database": "nowhere"},
            {"path": "x"},
        ],
    ),
]
