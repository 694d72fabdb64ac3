"""What a recording searches for, in documents, facts and conversations."""

from lab.golden_calls import Call, call, calls

_NUL = "a\x00b"

SEARCHES: list[Call] = [
    *(
        call(agent, "memory_search", query=query, explain=True)
        for query in (
            "When do the lighthouse backups run?",
            "surprise party in the boathouse",
            "kittiwake",
            "how often do I check the fog horn",
            "LMP-1042",
            "turn_lamp",
            "generater fuse",
            "letzten Dienstag im März",
            "PR #42",
            "src/lamp.py",
            "what happened in March 2024?",
            "5 March 2024",
            "Ben's birthday",
            "What does Carol manage?",
            "the keeper's phone number",
            "灯台",
            "zzzz qqqq xxxx",
            "tea or coffee",
            "who repaired the generator",
        )
        for agent in ("ada", "ben")
    ),
    *calls(
        "ada",
        "memory_search",
        [
            {},
            {"max_results": 1},
            {"max_results": 100, "min_score": 0},
            {"min_score": 0.9},
            {"sources": ["documents"]},
            {"sources": ["graph"]},
            {"sources": ["transcripts"]},
            {"sources": ["documents", "graph", "transcripts"], "max_results": 20, "min_score": 0},
            {"path_prefix": "memory/"},
            {"tags": ["diary"]},
            {"tags": ["diary", "party"]},
            {"tags": ["none such"]},
            {"since": "2024-03-05"},
            {"until": "2024-03-05"},
            {"since": "2024-03-01", "until": "2024-03-31"},
            {"since": "7d"},
            {"as_of": "2024-01-01"},
            {"max_tokens": 40},
            {"max_tokens": 1},
            {"explain": True, "max_tokens": 60},
            {"explain": True, "sources": ["transcripts"]},
        ],
        query="generator",
    ),
    *(
        call("ada", "memory_search", query="lamp", anchors=anchors, explain=True, sources=sources)
        for anchors in (
            {"pr": "42"},
            {"file": "src/lamp.py"},
            {"branch": "feature/lamp"},
            {"session": "lamp"},
            {"cwd": "/srv/lamp"},
            {"pr": "99"},
        )
        for sources in (["documents", "graph"], ["transcripts"])
    ),
    call(
        "ada",
        "memory_search",
        query="the pier and the lamp and the generator",
        max_results=2,
        min_score=0,
        pages=5,
    ),
    call("ada", "memory_search", query="chapter", max_results=3, min_score=0, pages=5),
    call("ada", "memory_search", query="oats for breakfast", database="life"),
    call("ben", "memory_search", query="oats for breakfast", database="life"),
    call("ben", "memory_search", query="run along the coast", database="life"),
    *calls(
        "ada",
        "memory_search",
        [
            {},
            {"query": ""},
            {"query": "   "},
            {"query": _NUL},
            {"query": "x" * 5000},
            {"query": "x", "max_results": 0},
            {"query": "x", "max_results": -1},
            {"query": "x", "max_results": 101},
            {"query": "x", "max_results": "many"},
            {"query": "x", "min_score": 2},
            {"query": "x", "sources": []},
            {"query": "x", "sources": ["mail"]},
            {"query": "x", "since": "once"},
            {"query": "x", "since": "2024-05-01", "until": "2024-01-01"},
            {"query": "x", "anchors": {"colour": "red"}},
            {"query": "x", "anchors": {"pr": ""}},
            {"query": "x", "cursor": "nonsense"},
            {"query": "x", "max_tokens": 0},
            {"query": "x", "tags": [7]},
            {"query": "x", "path_prefix": "../"},
            {"query": "x", "database": "nowhere"},
            {"query": "x", "database": "lif"},
            {"query": "x", "querry": "y"},
            {"query": None},
            {"query": 7},
            {"query": "lighthouse", "tags": None, "anchors": None, "since": "", "cursor": ""},
        ],
    ),
]
