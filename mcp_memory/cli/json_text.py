"""A JSON file that somebody else owns: read without loss, written in its own layout."""

import json
import re
from difflib import unified_diff
from typing import TypeAlias, cast

from pydantic import JsonValue

Document: TypeAlias = dict[str, JsonValue]

_INDENT = re.compile(r"\A\s*\{\r?\n([ \t]+)\"")


class NotPlainJson(Exception):
    """Writing the file back would lose something: comments, or one of two equal keys."""


def parsed(text: str) -> Document:
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


def rendered(document: Document, *, like: str) -> str:
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
