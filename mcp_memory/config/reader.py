"""From files, variables and options to one checked configuration."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mcp_memory.config.models import Config, leaves, origin_of
from mcp_memory.config.values import Key, Sources, expand, home
from mcp_memory.config.variables import FILE_VARIABLE, Group, assignments, setting_keys, shape_at
from mcp_memory.errors import ConfigError, nearest

_USER_FILE = Path("~/.config/mcp-memory/config.json")


def load(
    path: Path | None,
    environ: Mapping[str, str],
    options: Mapping[str, object] | None = None,
) -> Config:
    """The configuration of `path`, else $MCP_MEMORY_CONFIG, else the user's file, else defaults.

    Variables win over the file, and `options` (dotted keys from the command line, None where an
    option was not given) over both. The current folder is never looked at: it may be a
    stranger's repository.
    """
    draft = _Draft()
    file = _file(path, environ)
    if file is not None:
        draft.merge(_document(file), str(file))
    for assignment in assignments(environ, named=_list_secret_variables(draft.document)):
        draft.set(assignment.key, assignment.value, assignment.variable)
    for dotted, value in (options or {}).items():
        if value is not None:
            draft.set(tuple(dotted.split(".")), value, "command line")
    draft.fill(_folders(environ))
    return _validate(draft, environ)


class _Draft:
    """A configuration in the making: plain JSON values, and who set which."""

    def __init__(self) -> None:
        self.document: dict[str, object] = {}
        self.origins: dict[Key, str] = {}

    def merge(self, document: Mapping[str, object], origin: str) -> None:
        """Take over a whole document."""
        self.document |= document
        self.origins |= {key: origin for key, _ in leaves(document)}

    def set(self, key: Key, value: object, origin: str) -> None:
        """Put one value, or one whole group, in the place of what was there."""
        self._group_of(key)[key[-1]] = value
        for other in [other for other in self.origins if other[: len(key)] == key]:
            del self.origins[other]
        self.origins |= {(*key[:-1], *below): origin for below, _ in leaves({key[-1]: value})}

    def fill(self, defaults: Mapping[Key, object]) -> None:
        """Put values where nothing was set."""
        for key, value in defaults.items():
            self._group_of(key).setdefault(key[-1], value)

    def _group_of(self, key: Key) -> dict[str, object]:
        group = self.document
        for depth, name in enumerate(key[:-1], start=1):
            below = group.setdefault(name, {})
            if not isinstance(below, dict):
                above = key[:depth]
                raise ConfigError(
                    "must be an object with keys",
                    key=".".join(above),
                    origin=origin_of(above, self.origins),
                )
            group = cast("dict[str, object]", below)
        return group


def _file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read; one that was asked for must exist, the user's own need not."""
    if path is not None:
        return path
    named = environ.get(FILE_VARIABLE)
    if named is None:
        user_file = expand(_USER_FILE, environ)
        return user_file if user_file.exists() else None
    if not named:
        raise ConfigError("is empty: name a file, or unset it", key=FILE_VARIABLE)
    return expand(Path(named), environ)


def _document(file: Path) -> dict[str, object]:
    """The object in a JSON file, refused when a key stands in it twice."""
    try:
        document = cast(
            "object",
            json.loads(
                file.read_text(encoding="utf-8-sig"),
                object_pairs_hook=_without_repeats,
                parse_constant=_refuse_constant,
            ),
        )
        json.dumps(document, ensure_ascii=False).encode()
    except OSError as exc:
        raise ConfigError(f"cannot be read: {exc.strerror}", origin=str(file)) from exc
    except json.JSONDecodeError as exc:
        problem = f"is not JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}"
        raise ConfigError(problem, origin=str(file)) from exc
    except UnicodeError as exc:
        raise ConfigError("is not UTF-8 text", origin=str(file)) from exc
    except ValueError as exc:
        raise ConfigError(str(exc), origin=str(file)) from exc
    if not isinstance(document, dict):
        raise ConfigError("must hold one JSON object", origin=str(file))
    return cast("dict[str, object]", document)


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    group: dict[str, object] = {}
    for name, value in pairs:
        if name in group:
            raise ValueError(f"the key {name!r} is given twice")
        group[name] = value
    return group


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number that can be used")


def _list_secret_variables(document: Mapping[str, object]) -> set[str]:
    """The variables that secrets in the file refer to."""
    return {str(value) for key, value in leaves(document) if key[-1] == "env"}


def _folders(environ: Mapping[str, str]) -> dict[Key, object]:
    """The user's own folders for data and models."""
    return {
        ("embeddings", "model_dir"): str(
            _folder(environ, "XDG_CACHE_HOME", ".cache") / "mcp-memory" / "models"
        ),
    }


def _folder(environ: Mapping[str, str], variable: str, usual: str) -> Path:
    """The XDG folder; a relative one is ignored, as that standard asks."""
    named = Path(environ.get(variable, ""))
    return named if named.is_absolute() else home(environ) / usual


def _validate(draft: _Draft, environ: Mapping[str, str]) -> Config:
    """The draft as a Config; JSON rules hold, so that "5" is no number and 1 no boolean."""
    try:
        return Config.model_validate_json(
            json.dumps(draft.document, default=str),
            strict=True,
            context=Sources(environ, draft.origins),
        )
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
        first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
        raise _readable(first, draft.origins) from exc


def _readable(error: ErrorDetails, origins: Mapping[Key, str]) -> ConfigError:
    """One of pydantic's errors as ours; values are never quoted, they may be secrets."""
    key = tuple(str(part) for part in error["loc"] if part != "[key]")
    # What is missing was set by nobody: then whoever set its group is to blame.
    above = (origin_of(key[:length], origins) for length in range(len(key), -1, -1))
    origin = next(filter(None, above), "")
    return ConfigError(_problem(error, key), key=".".join(key), origin=origin)


def _problem(error: ErrorDetails, key: Key) -> str:
    match error["type"]:
        case "extra_forbidden":
            return f"is not a known key.{_near_key(key)}"
        case "literal_error":
            return _near_choice(error)
        case "missing":
            return "is missing"
        case "model_type" | "dict_type":
            return "must be an object with keys"
        case _:
            message = error["msg"].removeprefix("Value error, ")
            return message.replace("Input should", "must").replace("Input", "the value")


def _near_key(key: Key) -> str:
    """The known key that an unknown one resembles: beside it first, then anywhere."""
    siblings = list(_siblings(key))
    elsewhere = [known for known in setting_keys() if known.rpartition(".")[2] == key[-1]]
    return (
        nearest(key[-1], siblings)
        or nearest(key[-1], elsewhere)
        or nearest(".".join(key), setting_keys())
        or f" Known here: {', '.join(siblings)}."
    )


def _siblings(key: Key) -> Iterator[str]:
    shape = shape_at(key[:-1])
    if isinstance(shape, Group):
        yield from shape.keys


def _near_choice(error: ErrorDetails) -> str:
    expected = error.get("ctx", {}).get("expected", "")
    choices = [word.strip("'") for word in str(expected).replace(" or ", ", ").split(", ")]
    return f"must be {expected}.{nearest(str(error['input']), choices)}"
