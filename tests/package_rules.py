"""Rules of the whole tree that source code shows: each gives the violations of a package.

Beside `tests/lint_rules.py`, whose rules look at one module at a time, these look at how modules,
folders and names hang together.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from tests.lint_rules import Source

MAX_MODULES = 200
MIN_MODULE_LINES = 60
MAX_MODULE_LINES = 400
MIN_FOLDER_MODULES = 4
MIN_AVERAGE_LINES = 150

_ERRORS = "mcp_memory/errors.py"
# Commands are loaded by name, one file each, and may be small.
_COMMANDS = re.compile(r"mcp_memory/(interfaces/)?cli/")
# Nouns of the field that happen to end like that.
_ING_NOUNS = {"chunking", "hashing", "batching", "ranking", "signing"}
# A string, a ring, a thing: no deed in -ing, so no module that should be called otherwise.
_ING_WORDS = {"string", "ring", "thing", "king", "wing", "spring", "paging", "mapping", "setting"}
# Verbs and nouns in -ed, and adjectives that no verb has.
_ED_VERBS = {
    "embed",
    "need",
    "feed",
    "seed",
    "shed",
    "speed",
    "proceed",
    "exceed",
    "succeed",
    "bed",
}
_ED_OTHERS = {
    "embedded",
    "lopsided",
    "unauthorized",
    "unencrypted",
    "unexpected",
    "unlimited",
    "unprivileged",
}
_IRREGULAR = frozenset(
    [
        "begun",
        "borne",
        "bought",
        "bound",
        "broken",
        "brought",
        "built",
        "caught",
        "chosen",
        "done",
        "drawn",
        "driven",
        "eaten",
        "fallen",
        "felt",
        "forgotten",
        "found",
        "given",
        "gone",
        "grown",
        "heard",
        "held",
        "hidden",
        "kept",
        "known",
        "laid",
        "left",
        "lent",
        "lost",
        "made",
        "meant",
        "met",
        "paid",
        "proven",
        "rung",
        "said",
        "seen",
        "sent",
        "shown",
        "sold",
        "spoken",
        "stood",
        "sworn",
        "taken",
        "taught",
        "thought",
        "thrown",
        "told",
        "torn",
        "understood",
        "woken",
        "won",
        "worn",
        "written",
    ]
)


@dataclass(frozen=True, slots=True)
class Package:
    """The modules of a package, and which imports which."""

    sources: Sequence[Source]
    imports: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, sources: Iterable[Source]) -> "Package":
        """The package that these modules make up; imports by paths, its own alone."""
        modules = list(sources)
        paths = {_dotted(source.path): source.path for source in modules}
        return cls(modules, {each.path: frozenset(_imported(each, paths)) for each in modules})

    @property
    def modules(self) -> Sequence[Source]:
        """Those that hold something: not the opening sentence of a folder."""
        return [source for source in self.sources if not _is_empty(source)]

    def importers(self, path: str) -> list[str]:
        """Who imports a module."""
        return [importer for importer, imported in self.imports.items() if path in imported]


Rule = Callable[[Package], Iterator[str]]


def too_many_modules(package: Package) -> Iterator[str]:
    """More modules than the measure."""
    count = len(package.modules)
    if count > MAX_MODULES:
        yield f"{count} modules, at most {MAX_MODULES}"


def small_average(package: Package) -> Iterator[str]:
    """Modules that are too small on the average."""
    average = sum(map(_lines, package.modules)) / max(len(package.modules), 1)
    if average < MIN_AVERAGE_LINES:
        yield f"{average:.0f} lines a module on the average, at least {MIN_AVERAGE_LINES}"


def small_modules(package: Package) -> Iterator[str]:
    """Modules of a few lines that only one other needs."""
    for source in package.modules:
        importers = package.importers(source.path)
        is_small = _lines(source) < MIN_MODULE_LINES and len(importers) == 1
        if is_small and not _COMMANDS.match(source.path) and not source.path.endswith("__.py"):
            yield f"{source.path}: {_lines(source)} lines, imported by {importers[0]} alone"


def large_modules(package: Package) -> Iterator[str]:
    """Modules of more than four hundred lines; the tree of all errors is one file at any length."""
    for source in package.sources:
        if _lines(source) > MAX_MODULE_LINES and source.path != _ERRORS:
            yield f"{source.path}: {_lines(source)} lines"


def small_folders(package: Package) -> Iterator[str]:
    """Folders of fewer than four modules or folders; a command with its parts may be one."""
    counts: dict[str, int] = defaultdict(int)
    for source in package.modules:
        counts[_folder(source.path)] += not source.path.endswith("__init__.py")
    for folder in [*counts]:
        if _folder(folder) in counts:
            counts[_folder(folder)] += 1
    for folder, count in sorted(counts.items()):
        if count < MIN_FOLDER_MODULES and not _COMMANDS.match(f"{folder}/"):
            yield f"{folder}: {count} modules"


def mutual_folders(package: Package) -> Iterator[str]:
    """Pairs of folders that import one another; errors and app lie above and below them all."""
    between = {
        (_folder(importer), _folder(imported))
        for importer, paths in package.imports.items()
        for imported in paths
    }
    for one, other in sorted(between):
        if one < other and (other, one) in between and "/" in one:
            yield f"{one} and {other} import one another"


def participle_functions(package: Package) -> Iterator[str]:
    """Functions named by a participle; what is asked (`is_shared`) or answered may be one.

    A property may state what a thing is (`closed`).
    """
    for source in package.sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _says_a_state(node):
                yield source.at(node, f"{node.name} is a participle")


def participle_classes(package: Package) -> Iterator[str]:
    """Classes named by a participle alone; `ForgottenFact` is a fact."""
    for source in package.sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                words = re.findall(r"[A-Z][a-z0-9]*", node.name)
                if len(words) == 1 and is_participle(words[0].lower()):
                    yield source.at(node, f"{node.name} is a participle")


def participle_modules(package: Package) -> Iterator[str]:
    """Modules named by a participle: `known`, `shared`."""
    for source in package.sources:
        if is_participle(PurePosixPath(source.path).stem):
            yield f"{source.path}: a participle"


def ing_modules(package: Package) -> Iterator[str]:
    """Modules and folders in -ing, which say a deed where a noun is wanted."""
    names = {source.path: PurePosixPath(source.path).stem for source in package.sources}
    names |= {_folder(path): PurePosixPath(_folder(path)).name for path in names}
    for path, name in sorted(names.items()):
        last = name.rsplit("_", 1)[-1]
        if last.endswith("ing") and last not in _ING_NOUNS | _ING_WORDS:
            yield f"{path}: ends in -ing"


def is_participle(word: str) -> bool:
    """Whether a word is a past participle: `told`, `weighed`; not `embed`, `seed`."""
    if word in _IRREGULAR:
        return True
    return word.endswith("ed") and len(word) > 3 and word not in _ED_VERBS | _ED_OTHERS


def _says_a_state(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return is_participle(_first_word(node.name)) and not _is_property(node)


def _first_word(name: str) -> str:
    return "" if name.startswith("__") else name.lstrip("_").split("_")[0]


def _is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = {ast.unparse(decorator).split(".")[-1] for decorator in node.decorator_list}
    return bool(names & {"property", "cached_property", "setter"})


def _lines(source: Source) -> int:
    return source.text.count("\n")


def _folder(path: str) -> str:
    return str(PurePosixPath(path).parent)


def _is_empty(source: Source) -> bool:
    """Whether a module says no more than what its folder is."""
    return source.path.endswith("__init__.py") and all(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for node in source.tree.body
    )


def _dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imported(source: Source, paths: Mapping[str, str]) -> Iterator[str]:
    """The paths of the modules that a module imports; imports inside functions count too."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names):
                dotted = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names):
                dotted = [f"{module}.{alias.name}" for alias in names]
                dotted = [name if name in paths else module for name in dotted]
            case _:
                continue
        yield from (paths[name] for name in dotted if name in paths and paths[name] != source.path)
