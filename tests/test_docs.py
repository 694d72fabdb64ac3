"""Documentation as a test subject: pages, settings, commands and the check script say the same."""

import json
import pkgutil
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import cast

import click
import pytest

from mcp_memory.config import load, setting_keys
from mcp_memory.config.variables import (
    FILE_VARIABLE,
    SHORT_VARIABLES,
    Group,
    NamedGroups,
    Shape,
    Value,
    outline,
)
from mcp_memory.interfaces.cli import main
from tests import settings_docs
from tests.docs_pages import ROOT, Page, page, pages
from tests.unit.interfaces.mcp.test_server import TOOLS

EXAMPLE = ROOT / "config.example.json"
README = page("README.md")
SETTINGS = page("docs/settings.md")
CONTENTS = page("docs/README.md")
ARCHITECTURE = page("docs/architecture.md")
COMMAND = re.compile(r"mcp-memory((?: [a-z][a-z-]*)+)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
OUR_FILE = re.compile(r"(?<![\w./-])(?:mcp_memory|benchmarks|tests|docs|lab)/[\w./-]*\w")
# A module of the package, and perhaps a name in it: `search/service.py:Search.passages`.
OUR_CODE = re.compile(r"((?:\w+/)*\w+)\.py(?::([\w.]+))?")
TOOL = re.compile(r"\bmemory_[a-z_]*[a-z]\b(?!_)")
PIP_INSTALL = re.compile(r"pip install ([^`&]*)")


def _keys_of(document: object, shape: Shape) -> Iterator[str]:
    """The dotted keys a document gives, chosen names replaced by their placeholder."""
    if isinstance(shape, Value):
        yield ""
        return
    for name, below in cast("dict[str, object]", document).items():
        match shape:
            case NamedGroups():
                yield from (f"{shape.placeholder}.{key}" for key in _keys_of(below, shape.below))
            case Group():
                inside = _keys_of(below, shape.keys[name])
                yield from (f"{name}.{key}".rstrip(".") for key in inside)


def test_the_example_holds_every_setting_and_no_other() -> None:
    document = cast("object", json.loads(EXAMPLE.read_text("utf-8")))
    assert set(_keys_of(document, outline())) == set(setting_keys())


def test_the_example_can_be_loaded(tmp_path: Path) -> None:
    token = tmp_path / ".config/mcp-memory/openclaw-token"
    token.parent.mkdir(parents=True)
    token.write_text("t\n", encoding="utf-8")
    config = load(EXAMPLE, {"HOME": str(tmp_path), "OPENAI_API_KEY": "k"})
    assert config.wake_routes["alice"].token is not None
    assert config.wake_routes["alice"].token.reveal() == "t"


def test_the_settings_are_those_of_the_models() -> None:
    # Mended by `python -m tests.settings_docs`.
    assert settings_docs.rewritten(SETTINGS.text) == SETTINGS.text
    assert [row.key for row in settings_docs.setting_rows()] == setting_keys()


def test_every_setting_has_a_meaning() -> None:
    assert settings_docs.meanings_missing(SETTINGS.text) == []


def test_every_variable_that_has_a_name_of_its_own_is_documented() -> None:
    missing = [name for name in (FILE_VARIABLE, *SHORT_VARIABLES) if name not in SETTINGS.text]
    assert missing == []


def test_every_setting_that_a_page_names_exists() -> None:
    keys = setting_keys()
    sections = {key.split(".")[0] for key in keys if "." in key}
    named = {
        (each.name, span)
        for each in pages()
        for span in each.code()
        if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", span) and span.split(".")[0] in sections
    }
    assert named
    assert [place for place in named if not _is_setting(place[1], keys)] == []


def _is_setting(name: str, keys: list[str]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for key in keys)


def test_the_readme_is_short() -> None:
    assert len(README.text.splitlines()) <= 150


def test_the_readme_has_two_commands_that_set_up() -> None:
    commands = README.blocks("sh")
    assert len(commands) == 2
    assert all(command.startswith("python3.11 -m venv .venv && ") for command in commands)


def test_the_check_script_ends_with_the_readmes_second_command() -> None:
    script = (ROOT / ".ci/run").read_text("utf-8").splitlines()
    assert script[-1] == README.blocks("sh")[1]


def test_headings_nest() -> None:
    for each in pages():
        levels = [heading.level for heading in each.headings()]
        assert each.text.startswith("# "), each.name
        assert levels.count(1) == 1, each.name
        assert all(below <= above + 1 for above, below in pairwise(levels)), each.name


def test_headings_of_a_page_differ() -> None:
    # GitHub numbers equal anchors, so that a link to the second one breaks when the first goes.
    for each in pages():
        if each.name != "CHANGELOG.md":
            anchors = [heading.anchor for heading in each.headings()]
            assert len(set(anchors)) == len(anchors), each.name


def _is_broken(source: Page, target: str) -> bool:
    """Whether a link of a page leads nowhere; links out of the repository are not followed."""
    if target.startswith("https://"):
        return False
    name, _, anchor = target.partition("#")
    path = (source.path.parent / name).resolve() if name else source.path
    if not path.is_file():
        return True
    headings = Page(path, path.read_text("utf-8")).headings()
    return bool(anchor) and anchor not in {heading.anchor for heading in headings}


def test_every_link_leads_somewhere() -> None:
    links = [(each, link.target) for each in pages() for link in each.links()]
    assert [(each.name, target) for each, target in links if _is_broken(each, target)] == []


def test_the_contents_list_every_page_with_its_headings() -> None:
    listed = [(link.text, link.target) for link in CONTENTS.links()][1:]
    order = [target for _, target in listed if "#" not in target]
    documents = {name: page(f"docs/{name}").headings() for name in order}
    assert sorted(documents) == sorted(
        file.name for file in ROOT.glob("docs/*.md") if file != CONTENTS.path
    )
    assert listed == [
        (heading.title, f"{name}#{heading.anchor}" if heading.level == 2 else name)
        for name, headings in documents.items()
        for heading in headings
        if heading.level <= 2
    ]


def test_the_readme_links_every_page() -> None:
    linked = {link.target for link in README.links()}
    assert [each.name for each in pages()[1:] if each.name not in linked] == []


def test_every_tool_is_in_the_readme() -> None:
    spans = set(README.code())
    assert [tool for tool in TOOLS if tool not in spans] == []


def test_every_tool_that_a_page_names_exists() -> None:
    # A parameter that is called like a tool.
    known = {*TOOLS, "memory_type"}
    named = {(each.name, tool) for each in pages() for tool in TOOL.findall(each.text)}
    assert [place for place in named if place[1] not in known] == []


def test_every_file_and_name_of_ours_that_a_page_names_exists() -> None:
    for each in pages():
        for span in each.code():
            for name in OUR_FILE.findall(span):
                assert (ROOT / name).exists() or name in str(each.path), (each.name, name)
            if re.fullmatch(r"mcp_memory(\.\w+)+", span):
                assert pkgutil.resolve_name(span), (each.name, span)


def test_every_module_and_function_that_the_architecture_names_exists() -> None:
    matches = [match for match in map(OUR_CODE.fullmatch, ARCHITECTURE.code()) if match]
    assert any(match[2] for match in matches)
    for match in matches:
        module, name = match.groups()
        if (ROOT / "mcp_memory" / module.split("/")[0]).exists() or name:
            dotted = f"mcp_memory.{module.replace('/', '.')}"
            assert pkgutil.resolve_name(f"{dotted}:{name}" if name else dotted), match[0]


def test_the_architecture_lists_every_module_and_no_other() -> None:
    rows = [line for line in ARCHITECTURE.text.splitlines() if line.startswith("| `mcp_memory/")]
    spans = [re.findall(r"`([^`]+)`", row) for row in rows]
    listed = {f"{folder}{module}.py" for folder, *modules in spans for module in modules}
    files = {file.relative_to(ROOT).as_posix() for file in ROOT.glob("mcp_memory/**/*.py")}
    assert listed == {file for file in files if not file.endswith("__.py")}


def test_every_benchmark_and_tool_of_the_lab_that_a_page_names_exists() -> None:
    named = {
        name for each in pages() for name in re.findall(r"-m (benchmarks|lab)\.(\w+)", each.text)
    }
    assert [
        name for name in named if not (ROOT / "/".join(name)).with_suffix(".py").is_file()
    ] == []


def test_no_page_tells_anybody_to_install_what_is_not_ours() -> None:
    # `mcp-memory` on the package index belongs to somebody else.
    for each in pages():
        for arguments in cast("list[str]", PIP_INSTALL.findall(each.text)):
            assert re.fullmatch(r"-e '\.\[[a-z,-]+\]' ?", arguments), (each.name, arguments)
        assert not re.search(r"(?<![\w-])mcp-memory\[|(uvx|pipx \w+) mcp-memory\b(?!-p)", each.text)


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its whole name."""
    if isinstance(command, click.Group):
        for word, below in command.commands.items():
            yield from _commands(below, f"{name} {word}")
    else:
        yield name, command


@pytest.fixture(scope="module")
def commands() -> dict[str, click.Command]:
    return dict(_commands(main, "mcp-memory"))


def test_every_command_has_help(commands: dict[str, click.Command]) -> None:
    assert [name for name, command in commands.items() if not command.help] == []


def test_the_readme_lists_every_command_and_no_other(commands: dict[str, click.Command]) -> None:
    rows = [line for line in README.text.splitlines() if line.startswith("| `mcp-memory ")]
    assert {name for row in rows for name in _commands_of(row)} == set(commands)


def _commands_of(row: str) -> Iterator[str]:
    """The commands of a row of the table, where `up` follows `mcp-memory migrate status`."""
    group = ""
    for span in re.findall(r"`([^`]+)`", row.split("|")[1]):
        name = re.sub(r" [A-Z].*", "", span)
        if name.startswith("mcp-memory "):
            group = name.rsplit(" ", 1)[0]
            yield name
        elif not name.startswith("-"):
            yield f"{group} {name}"


def test_every_command_and_option_that_a_page_shows_exists(
    commands: dict[str, click.Command],
) -> None:
    everywhere = _options(main)
    for each in pages():
        for span in each.code():
            for words in COMMAND.findall(span):
                name = _longest(f"mcp-memory{words}", commands)
                if name is None:
                    assert _is_group(f"mcp-memory{words}", commands), (each.name, span)
                    continue
                shown = set(OPTION.findall(span.split("mcp-memory", 1)[1]))
                assert shown <= everywhere | _options(commands[name]), (each.name, span)


def _longest(words: str, commands: dict[str, click.Command]) -> str | None:
    """The command that a line begins with; whatever follows are its arguments."""
    names = [name for name in commands if f"{words} ".startswith(f"{name} ")]
    return max(names, key=len, default=None)


def _is_group(words: str, commands: dict[str, click.Command]) -> bool:
    return any(name.startswith(f"{words} ") for name in commands)


def _options(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}
