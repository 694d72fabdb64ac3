"""Golden answers: everything a build says to the outside, recorded before a move, compared after.

    python lab/golden.py record OUT.json --python PATH_TO_PYTHON [--without-commands]
    python lab/golden.py compare OLD.json NEW.json [--except REGEX …]

A build is driven by its interpreter alone (`PYTHON -P -m mcp_memory …`), in a data folder of its
own: stdio servers of two agents, HTTP, the bridge, the command line. `--except` leaves out the
answers whose names match, which an issue changes on purpose: `^foreign`, say, the arguments of
another action; `^(command|error|help|hook)` is what `--without-commands` leaves out.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

import anyio

from lab.golden_programs import fresh_build
from lab.golden_recording import Recording
from lab.golden_sessions import record_commands, record_http, record_stdio

# What is newest gets up to .03 for it, which halves in a month: two recordings differ a little.
_TOLERANCE = 0.0006
_SHOWN = 40


async def record(python: Path, out: Path, with_commands: bool = True) -> None:
    """Write every answer of the build, in the order in which it was asked."""
    with fresh_build(python) as build:
        recording = Recording.of(build)
        await record_stdio(build, recording)
        await record_http(build, recording)
        _save(recording, out)
        if with_commands:
            record_commands(build, recording)
        _save(recording, out)
    print(f"{len(recording.answers)} answers: {out}")


def _save(recording: Recording, out: Path) -> None:
    out.write_text(json.dumps(recording.answers, indent=1, ensure_ascii=False) + "\n", "utf-8")


def compare(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    """Where two recordings differ, one line a difference."""
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            yield f"{name}: is not asked any more"
        elif name not in old:
            yield f"{name}: was not asked before"
        else:
            yield from (f"{name}{line}" for line in differences(old[name], new[name]))


def differences(old: object, new: object, path: str = "") -> Iterator[str]:
    """Where two values differ, by their paths."""
    match old, new:
        case dict(), dict():
            before, after = dict[str, object](old), dict[str, object](new)  # pyright: ignore[reportUnknownArgumentType] JSON of any shape
            for key in dict.fromkeys([*before, *after]):
                yield from differences(
                    before.get(key, _ABSENT), after.get(key, _ABSENT), f"{path}.{key}"
                )
        case list(), list():
            pairs = zip_longest(list[object](old), list[object](new), fillvalue=_ABSENT)  # pyright: ignore[reportUnknownArgumentType] JSON of any shape
            for index, (left, right) in enumerate(pairs):
                yield from differences(left, right, f"{path}[{index}]")
        case (float() | int(), float()) | (float(), int()) if abs(old - new) <= _TOLERANCE:
            return
        case _ if old != new or isinstance(old, bool) != isinstance(new, bool):
            yield f"{path}\n    - {_short(old)}\n    + {_short(new)}"
        case _:
            return


_ABSENT = "<absent>"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]}…"


def _loaded(file: Path, excepted: Sequence[str]) -> dict[str, object]:
    answers: dict[str, object] = json.loads(file.read_text("utf-8"))
    return {
        name: answer
        for name, answer in answers.items()
        if not any(re.search(pattern, name) for pattern in excepted)
    }


def main() -> int:
    """Record or compare, as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    recorder = commands.add_parser("record")
    recorder.add_argument("out", type=Path)
    recorder.add_argument("--python", type=Path, required=True)
    recorder.add_argument("--without-commands", action="store_true", help="servers alone: sooner")
    comparer = commands.add_parser("compare")
    comparer.add_argument("old", type=Path)
    comparer.add_argument("new", type=Path)
    comparer.add_argument("--except", dest="excepted", action="append", default=[])
    comparer.add_argument("--all", action="store_true", help=f"more than {_SHOWN} differences")
    arguments = parser.parse_args()
    if arguments.command == "record":
        with_commands = not arguments.without_commands
        anyio.run(record, arguments.python.absolute(), arguments.out, with_commands)
        return 0
    old, new = (_loaded(file, arguments.excepted) for file in (arguments.old, arguments.new))
    lines = list(compare(old, new))
    print("\n".join(lines if arguments.all else lines[:_SHOWN]))
    print(f"{len(lines)} differences in {len(old)} answers")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
