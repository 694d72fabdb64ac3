"""The commands that a recording runs, and the files that they take."""

import json
from pathlib import Path

HELP = [
    "", "demo", "serve", "bridge", "doctor", "index", "search", "transcript", "graph", "hook",
    "databases", "migrate", "keys", "wake", "install", "config", "embeddings", "backup", "restore",
    "purge", "transcript import", "transcript prune", "graph entities", "graph merge",
    "graph revoke", "graph split", "databases create", "databases drop", "databases list",
    "databases shell", "databases url", "migrate down", "migrate status", "migrate to",
    "migrate up", "keys create", "keys list", "keys revoke", "wake add", "wake list",
    "wake remove", "wake test", "config check", "config show", "embeddings activate",
    "embeddings add", "embeddings backfill", "embeddings drop", "embeddings install",
    "embeddings status",
]  # fmt: skip

RUNS: list[list[str]] = [[*line.split("|")] for line in (
    "config|check", "config|show|--json", "databases|list|--json", "databases|list",
    "databases|url", "databases|url|life", "databases|create|extra", "databases|create|extra",
    "databases|drop|extra|--yes", "databases|drop|extra|--yes",
    "databases|shell|main|-Atc|SELECT count(*) >= 0", "migrate|status|--json", "migrate|status",
    "migrate|up", "migrate|up|--database|life", "keys|list|--json", "keys|list",
    "keys|revoke|--agent|ben", "keys|list|--json", "embeddings|status|--json",
    "embeddings|status", "embeddings|backfill", "index|notes|--prefix|indexed|--json|--agent|ada",
    "index|notes|--prefix|indexed|--json|--agent|ada", "index|notes/one.md|--agent|ada",
    "search|otters|--agent|ada|--json", "search|otters|--agent|ada",
    "search|otters|--agent|ada|--explain", "search|otters|--agent|ada|--explain|--json",
    "search|kittiwake|--agent|ben|--max-results|1|--json", "search|zzzz qqqq|--agent|ada",
    "search|lamp|--agent|ada|--source|transcripts|--since|2024-06-01|--json",
    "transcript|import|talk.jsonl|--json|--agent|ada",
    "transcript|import|talk.jsonl|--json|--agent|ada",
    "transcript|import|claude.jsonl|--format|claude-code|--json|--agent|ada",
    "transcript|import|claude.jsonl|talk.jsonl|--agent|ada",
    "search|the heron nests|--agent|ada|--source|transcripts|--json",
    "transcript|prune|--json", "transcript|prune|--source|chat|--older-than|1|--dry-run|--json",
    "graph|entities", *(f"--config|ada.json|graph|{rest}" for rest in (
        "entities|--json", "entities", "entities|ca", "merge|Generator|Lighthouse|--json",
        "split|Lighthouse|Generator|--json", "revoke|user|--dry-run|--json", "revoke|user|--json",
        "entities|--json")), "wake|list|--json", "wake|list",
    "purge|--dry-run|--json", "purge|--older-than|0d|--json", "purge", "backup|memory.dump|--json",
    "backup|memory.dump|--replace", "restore|memory.dump|--database|restored|--json",
    "databases|list|--json",
    "install|claude-code|--agent|ada|--yes|--file|client.json",
    "install|claude-code|--agent|ada|--yes|--file|client.json",
    "install|cursor|--transport|http|--key-variable|K|--yes|--file|cursor.json",
    "install|vscode|--agent|ada|--yes|--file|vscode.json",
    "install|openclaw|--agent|ada|--yes|--file|openclaw.json",
    "install|claude-code|--remove|--yes|--file|client.json", "doctor|--json",
)]  # fmt: skip

ERRORS: list[list[str]] = [[*line.split("|")] for line in (
    "dream", "search", "search|", "search|x|--max-results|0", "search|x|--min-score|2",
    "search|x|--since|once", "search|x|--database|nowhere", "search|x|--database|No Name",
    "search|x|--source|mail", "search|x|--agent|bad name!", "--config|none.json|search|x",
    "--config|broken.json|search|x", "--config|unknown.json|config|check",
    "--config|unknown.json|search|x", "--log-level|loud|search|x", "index", "index|nowhere",
    "index|notes|--prefix|../up", "transcript|import|nowhere.jsonl",
    "transcript|import|broken.json",
    "transcript|import|talk.jsonl|--format|mail", "transcript|prune|--older-than|3", "databases",
    "databases|create|No Name", "databases|create|x|--url|mysql://y",
    "databases|drop|nowhere|--yes",
    "databases|drop|main|--yes", "databases|url|nowhere", "migrate|to|99|--yes", "migrate|to|abc",
    "migrate|down|0|--yes", "migrate|status|--database|nowhere", "keys|create",
    "keys|create|--agent|bad name!", "keys|create|--agent|x|--expires|soon",
    "keys|create|--agent|x|--scope|all", "keys|create|--agent|x|--database|nowhere", "keys|revoke",
    "keys|revoke|nothing", "wake|add|ada|--kind|webhook|--url|http://192.0.2.1/x",
    "wake|add|ada|--kind|webhook", "wake|add|ada|--kind|bell", "wake|test|ada", "wake|remove|ada",
    "wake|add|bad name!|--kind|webhook|--url|http://192.0.2.1/x", "embeddings|add|none-such",
    "embeddings|activate|none-such", "embeddings|drop|none-such|--yes", "backup|memory.dump",
    "backup|nowhere/memory.dump", "restore|nowhere.dump", "restore|broken.json|--database|r2",
    "restore|memory.dump", "graph|merge|Nobody|Ben", "graph|revoke|nowhere|--dry-run",
    "graph|split|Nobody|x", "install|emacs", "install|claude-code|--file|broken.json|--yes",
    "serve|--transport|pigeon", "serve|--port|99999",
    "serve|--transport|streamable-http|--host|192.0.2.1", "serve|--agent|bad name!",
    "bridge|--agent|bad name!", "hook", "purge|--older-than|soon", "version", "--version",
)]  # fmt: skip

HOOKS: list[tuple[str, dict[str, object]]] = [
    ("SessionStart", {"session_id": "h", "source": "startup", "cwd": "/srv/lamp"}),
    ("SessionStart", {"session_id": "lamp", "source": "compact", "cwd": "/srv/lamp"}),
    ("UserPromptSubmit", {"session_id": "h", "prompt": "When do the lighthouse backups run?"}),
    ("UserPromptSubmit", {"session_id": "h", "prompt": "zzzz qqqq"}),
    ("UserPromptSubmit", {"session_id": "h", "prompt": ""}),
    ("PostCompact", {"session_id": "h", "compact_summary": "We spoke of the heron."}),
    ("Stop", {"session_id": "h", "transcript_path": "none.jsonl"}),
    ("SessionEnd", {"session_id": "h"}),
    ("Unknown", {}),
]

_TALK = [
    {"session_id": "walk", "id": "w1", "role": "user", "speaker": "Ada",
     "content": "Where does the heron nest?", "created_at": "2024-08-01T10:00:00Z"},
    {"session_id": "walk", "id": "w2", "role": "assistant",
     "content": "The heron nests in the old willow.", "created_at": "2024-08-01T10:00:05Z"},
]  # fmt: skip
_CLAUDE = [
    {"type": "user", "sessionId": "cc-1", "uuid": "00000000-0000-4000-8000-000000000001",
     "timestamp": "2024-08-02T10:00:00.000Z", "cwd": "/srv/lamp", "gitBranch": "main",
     "message": {"role": "user", "content": "Count the otters, please."}},
    {"type": "assistant", "sessionId": "cc-1", "uuid": "00000000-0000-4000-8000-000000000002",
     "timestamp": "2024-08-02T10:00:05.000Z", "cwd": "/srv/lamp", "gitBranch": "main",
     "message": {"role": "assistant", "content": [{"type": "text", "text": "Seven otters."}]}},
]  # fmt: skip


def write_files(home: Path) -> None:
    """Make the files that commands take, in their working folder."""
    notes = home / "notes"
    notes.mkdir()
    (notes / "one.md").write_text("# Otters\n\nSeven otters live at the north pier.\n", "utf-8")
    (notes / "two.txt").write_text("The heron nests in the willow.\n", "utf-8")
    (notes / "image.png").write_bytes(b"\x89PNG\x00\x00")
    (notes / "binary.md").write_bytes(b"a\x00b")
    for name, rows in (("talk.jsonl", _TALK), ("claude.jsonl", _CLAUDE)):
        (home / name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (home / "ada.json").write_text('{"agent": "ada"}', "utf-8")
    (home / "broken.json").write_text("{", "utf-8")
    (home / "unknown.json").write_text('{"timzone": "UTC"}', "utf-8")
