"""Changing a file that another program owns: shown first, kept beside, replaced at once."""

import json
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from typing import Self, TypeAlias, cast

from pydantic import JsonValue

from mcp_memory.interfaces.cli.invocation import Failure

Document: TypeAlias = dict[str, JsonValue]

_INDENT = re.compile(r"\A\s*\{\r?\n([ \t]+)\"")


class NotPlainJson(Exception):
    """Writing the file back would lose something: comments, or one of two equal keys."""


def parse(text: str) -> Document:
    """The object that the text holds, in its order; an empty file holds an empty one."""
    if not text.strip():
        return {}
    try:
        document = cast("JsonValue", json.loads(text, object_pairs_hook=_without_repeats))
    except (ValueError, RecursionError) as exc:
        raise NotPlainJson("it is not plain JSON (comments and trailing commas are not)") from exc
    if not isinstance(document, dict):
        raise NotPlainJson("it does not hold an object")
    return document


def _without_repeats(pairs: list[tuple[str, JsonValue]]) -> Document:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise NotPlainJson("it names a key twice in one object")
    return document


def render(document: Document, *, like: str) -> str:
    """The text of the document, indented and ended as `like` is."""
    match = _INDENT.match(like)
    lines = json.dumps(document, indent=match[1] if match else 2, ensure_ascii=False)
    text = lines if like.strip() and not like.endswith("\n") else f"{lines}\n"
    return text.replace("\n", "\r\n") if "\r\n" in like else text


def difference(name: str, before: str, after: str) -> str:
    """What changes, as a unified diff."""
    lines = unified_diff(
        before.splitlines(), after.splitlines(), f"{name} (now)", f"{name} (then)", n=2, lineterm=""
    )
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Change:
    """A file as it is and as it shall be. `before` None: there is no file yet."""

    file: Path
    before: str | None
    after: str

    @classmethod
    def of(cls, file: Path, edit: Callable[[Document], Document]) -> Self:
        """What the edit would make of the file; `NotPlainJson`, `UnexpectedShape` if it cannot."""
        # A link into somebody's collection of settings stays a link.
        target = file.resolve()
        before = _read(target)
        text = before or ""
        document = parse(text)
        changed = edit(document)
        return cls(target, before, text if changed == document else render(changed, like=text))

    @property
    def is_needed(self) -> bool:
        """Whether anything would be another."""
        return self.after != (self.before or "")

    def diff(self) -> str:
        """The change as a diff."""
        return difference(str(self.file), self.before or "", self.after)

    def apply(self) -> Path | None:
        """Write the file whole, or not at all; where its former text is kept now."""
        if _read(self.file) != self.before:
            raise Failure(f"{self.file} was changed meanwhile. Run the command again.")
        backup = None if self.before is None else self._keep(self.before)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        _replace(self.file, self.after)
        return backup

    def _keep(self, text: str) -> Path:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        backup = self.file.with_name(f"{self.file.name}.{stamp}.bak")
        _replace(backup, text, mode=self.file.stat().st_mode & 0o777)
        return backup


def _read(file: Path) -> str | None:
    try:
        return file.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as exc:
        raise NotPlainJson("it is not UTF-8 text") from exc


def _replace(file: Path, text: str, *, mode: int | None = None) -> None:
    """Put the text there in one step, readable by whom the file was readable by before."""
    if mode is None:
        mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(mode)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
