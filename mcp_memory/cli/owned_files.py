"""Changing a file that another program owns: shown first, kept beside, replaced at once."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from mcp_memory.cli.failure import Failure
from mcp_memory.cli.json_text import Document, NotPlainJson, difference, parsed, rendered


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
        document = parsed(text)
        changed = edit(document)
        return cls(target, before, text if changed == document else rendered(changed, like=text))

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
