"""The shape of the package: how many modules, how large, and how they are named."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.lint_rules import Source, sources
from tests.package_rules import (
    MAX_MODULE_LINES,
    MAX_MODULES,
    MIN_AVERAGE_LINES,
    Package,
    Rule,
    ing_modules,
    is_participle,
    large_modules,
    mutual_folders,
    participle_classes,
    participle_functions,
    participle_modules,
    small_average,
    small_folders,
    small_modules,
    too_many_modules,
)

ROOT = Path(__file__).parents[1]

ALL_RULES: tuple[Rule, ...] = (
    too_many_modules,
    small_average,
    small_modules,
    large_modules,
    small_folders,
    mutual_folders,
    participle_functions,
    participle_classes,
    participle_modules,
    ing_modules,
)

_LONG = "x = 1\n" * 100


@cache
def _package() -> Package:
    """Read when a test asks: each of pytest's processes imports this module."""
    return Package.of(sources(ROOT, "mcp_memory"))


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: getattr(rule, "__name__", ""))
def test_the_package_has_no(rule: Rule) -> None:
    assert list(rule(_package())) == []


def _of(texts: Mapping[str, str]) -> Package:
    return Package.of(Source.of(f"mcp_memory/{path}", text) for path, text in texts.items())


@pytest.mark.parametrize(
    ("rule", "texts"),
    [
        (too_many_modules, {f"a{n}.py": "" for n in range(MAX_MODULES + 1)}),
        (small_average, {"a.py": "x = 1\n" * (MIN_AVERAGE_LINES - 1)}),
        (small_modules, {"a.py": "x = 1\n", "b.py": f"from mcp_memory import a\n{_LONG}"}),
        (small_modules, {"a.py": "x = 1\n", "b.py": f"from mcp_memory.a import x\n{_LONG}"}),
        (large_modules, {"a.py": "x = 1\n" * (MAX_MODULE_LINES + 1)}),
        (small_folders, {f"a/{n}.py": "x = 1\n" for n in "bcd"} | {"a/__init__.py": '"""A."""\n'}),
        (
            mutual_folders,
            {
                "a/b.py": "import mcp_memory.c.d\n",
                "c/d.py": "x = 1\n",
                "c/e.py": "import mcp_memory.a.b\n",
            },
        ),
        (
            mutual_folders,
            {"a/b.py": "import mcp_memory.a.c.d\n", "a/c/d.py": "import mcp_memory.a.b\n"},
        ),
        (participle_functions, {"a.py": "def _told():\n    pass\n"}),
        (participle_functions, {"a.py": "async def weighed_words():\n    pass\n"}),
        (participle_classes, {"a.py": "class Held:\n    pass\n"}),
        (participle_modules, {"known.py": ""}),
        (ing_modules, {"storing.py": ""}),
        (ing_modules, {"messaging/a.py": ""}),
    ],
)
def test_a_rule_notices_what_it_forbids(rule: Rule, texts: Mapping[str, str]) -> None:
    assert len(list(rule(_of(texts)))) == 1


@pytest.mark.parametrize(
    ("rule", "texts"),
    [
        (too_many_modules, {f"a{n}.py": "" for n in range(MAX_MODULES)}),
        (small_average, {"a.py": "x = 1\n" * MIN_AVERAGE_LINES}),
        (small_modules, {"a.py": _LONG, "b.py": "import mcp_memory.a\n"}),
        (
            small_modules,
            dict.fromkeys(("b.py", "c.py"), "import mcp_memory.a\n") | {"a.py": "x = 1\n"},
        ),
        (small_modules, {"cli/a.py": "x = 1\n", "b.py": f"import mcp_memory.cli.a\n{_LONG}"}),
        (large_modules, {"a.py": "x = 1\n" * MAX_MODULE_LINES}),
        (small_folders, {f"a/{n}.py": "x = 1\n" for n in "bcde"}),
        (small_folders, {"cli/doctor/a.py": "x = 1\n"}),
        (mutual_folders, {"a/b.py": "import mcp_memory.c.d\n", "c/d.py": "x = 1\n"}),
        (participle_functions, {"a.py": "def is_told():\n    pass\ndef embed():\n    pass\n"}),
        (participle_functions, {"a.py": "class A:\n    @property\n    def closed(self): ...\n"}),
        (participle_classes, {"a.py": "class ForgottenFact:\n    pass\n"}),
        (participle_modules, {"seed.py": ""}),
        (ing_modules, {"chunking.py": "", "string.py": ""}),
    ],
)
def test_a_rule_lets_pass_what_it_allows(rule: Rule, texts: Mapping[str, str]) -> None:
    assert list(rule(_of(texts))) == []


def test_participles_are_told_from_verbs() -> None:
    words = ("told", "found", "weighed", "chosen", "embed", "seed", "need", "forget", "rank", "red")
    assert [word for word in words if is_participle(word)] == ["told", "found", "weighed", "chosen"]
