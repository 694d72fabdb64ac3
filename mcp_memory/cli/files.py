"""Which files of a folder become documents, under which path, and what stands in them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

PATTERNS = ("*.md", "*.markdown", "*.mdx", "*.txt", "*.text", "*.rst", "*.org", "*.adoc")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that becomes the document `path`."""

    file: Path
    path: str


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file or folder that becomes none, and why."""

    file: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files of some roots become documents: names by pattern, links only when asked for."""

    roots: Sequence[Path]
    patterns: Sequence[str] = PATTERNS
    prefix: str = ""
    follow_links: bool = False

    def find(self) -> Iterator[SourceFile | SkippedFile]:
        """Every file below the roots that fits, in order; a path that comes twice is skipped."""
        owners: dict[str, Path] = {}
        for root in self.roots:
            for source in self.below(root, root):
                if isinstance(source, SkippedFile):
                    yield source
                elif source.path in owners:
                    reason = f"{owners[source.path]} has the path {source.path!r} too; use --prefix"
                    yield SkippedFile(source.file, reason)
                else:
                    owners[source.path] = source.file
                    yield source

    def below(self, root: Path, start: Path) -> Iterator[SourceFile | SkippedFile]:
        """The files at or below `start`, which is `root` or lies in it."""
        reason = "" if start == root else self._refusal(start)
        if reason:
            yield SkippedFile(start, reason)
        elif start.is_dir():
            yield from self._walk(root, start, frozenset())
        else:
            yield from self._file(root, start, is_root=start == root)

    def root_of(self, file: Path) -> Path | None:
        """The root that the file lies below, unless it is hidden there; the nearest one wins."""
        above = [root for root in self.roots if file.is_relative_to(root)]
        if not above:
            return None
        root = max(above, key=lambda root: len(root.parts))
        return None if any(map(_is_hidden, file.relative_to(root).parts)) else root

    def fits(self, name: str) -> bool:
        """Whether a file of this name is taken from a folder."""
        return any(fnmatch(name.lower(), pattern.lower()) for pattern in self.patterns)

    def path_of(self, root: Path, file: Path) -> str:
        """What the document is called: its path below the root, after the prefix."""
        relative = file.name if file == root else file.relative_to(root).as_posix()
        return str(PurePosixPath(self.prefix) / relative)

    def _walk(
        self, root: Path, folder: Path, above: frozenset[tuple[int, int]]
    ) -> Iterator[SourceFile | SkippedFile]:
        """The folder's files, then its folders; one that contains itself by a link is left out."""
        try:
            status = folder.stat()
            children = sorted(folder.iterdir())
        except OSError as exc:
            yield SkippedFile(folder, exc.strerror or type(exc).__name__)
            return
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            yield SkippedFile(folder, "a link that leads back to a folder above it")
            return
        for child in sorted(children, key=Path.is_dir):
            if reason := self._refusal(child):
                yield SkippedFile(child, reason)
            elif child.is_dir():
                yield from self._walk(root, child, above | {identity})
            else:
                yield from self._file(root, child, is_root=False)

    def _refusal(self, child: Path) -> str:
        """Why a child of a folder is not even looked at; empty when it is."""
        is_candidate = child.is_dir() or self.fits(child.name)
        if _is_hidden(child.name) and is_candidate:
            return "hidden"
        if child.is_symlink() and is_candidate and not self.follow_links:
            return "a link; --follow-links takes it"
        return ""

    def _file(self, root: Path, file: Path, *, is_root: bool) -> Iterator[SourceFile | SkippedFile]:
        """The file, if it fits; one that the person named need not."""
        if not is_root and not self.fits(file.name):
            return
        path = self.path_of(root, file)
        if not file.is_file():
            yield SkippedFile(file, "not a regular file" if file.exists() else "not there")
        elif not _is_text(os.fsencode(path)):
            yield SkippedFile(file, "its name is not UTF-8")
        else:
            yield SourceFile(file, path)


def read(source: SourceFile, limit_bytes: int) -> str | SkippedFile:
    """The text of the file, with plain newlines."""
    try:
        with source.file.open("rb") as stream:
            content = stream.read(limit_bytes + 1)
    except OSError as exc:
        return SkippedFile(source.file, exc.strerror or type(exc).__name__)
    if len(content) > limit_bytes:
        return SkippedFile(source.file, f"over the limit of {limit_bytes} bytes")
    if b"\0" in content:
        return SkippedFile(source.file, "binary")
    if not _is_text(content):
        return SkippedFile(source.file, "not UTF-8 text")
    return content.decode("utf-8-sig").replace("\r\n", "\n")


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
