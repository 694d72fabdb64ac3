"""Values that must never be shown: secrets, and addresses that carry one."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self, cast
from urllib.parse import unquote

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from mcp_memory.config.values import Sources, expand

MASK = "***"

_SECRET_PARAMETER = re.compile(r"pass|pwd|secret|token|key|signature|^sig$", re.IGNORECASE)
_HARMLESS_PARAMETERS = {"passfile", "sslkey", "sslkeylogfile", "requirepassword"}
_CONNINFO_SECRET = re.compile(r"(\b\w*pass(?:word|wd)\s*=\s*)('(?:[^'\\]|\\.)*'?|\S+)", re.I)
_PORT = re.compile(r"\d+")


class Secret:
    """A text that only `reveal()` gives; printing, formatting and dumping show a mask."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = self.check(value)

    @classmethod
    def check(cls, value: str) -> str:
        """The value, if it can be used; the complaint never quotes it."""
        if not value:
            raise ValueError("is empty")
        if "\0" in value:
            raise ValueError("holds a NUL byte")
        return value

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.reveal() == self.reveal()

    def __hash__(self) -> int:
        return hash((type(self), self._value))

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[object], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )

    @classmethod
    def _validate(cls, value: object, info: ValidationInfo) -> Self:
        if isinstance(value, cls):
            return value
        sources = info.context if isinstance(info.context, Sources) else Sources()
        return cls(_resolve(value, sources.environ))


class _Url(Secret):
    """An address, shown without its passwords and tokens."""

    __slots__ = ()

    _START: ClassVar[re.Pattern[str]]
    _COMPLAINT: ClassVar[str]

    @classmethod
    def check(cls, value: str) -> str:
        """The URL, if it is of this kind."""
        if not cls._START.match(super().check(value)):
            raise ValueError(cls._COMPLAINT)
        return value

    def __str__(self) -> str:
        return mask_url(self.reveal())


class DatabaseUrl(_Url):
    """The address of a PostgreSQL server."""

    __slots__ = ()

    _START = re.compile(r"postgres(?:ql)?://")
    _COMPLAINT = "must start with postgresql:// or postgres://"


class WebUrl(_Url):
    """The address of a web service."""

    __slots__ = ()

    _START = re.compile(r"https?://[^/?#]")
    _COMPLAINT = "must start with https:// or http:// and name a host"


def mask_url(url: str) -> str:
    """The same address with every password and token replaced by ***.

    Where an unescaped character makes it doubtful how far a password reaches, more is masked
    rather than less. Also takes libpq's `key=value` form.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _CONNINFO_SECRET.sub(rf"\1{MASK}", url)
    address, question, query = _without_password(rest).partition("?")
    return f"{scheme}://{address}{question}{_mask_query(query)}"


def _without_password(rest: str) -> str:
    """`user:password@…` as `user:***@…`; the name alone is kept."""
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    port = authority.partition(":")[2]
    end = rest.rfind("@")
    if end < 0 or ":" not in authority or _PORT.fullmatch(port):
        return rest
    user = authority.partition(":")[0]
    return f"{user}:{MASK}{rest[end:]}"


def _mask_query(query: str) -> str:
    """The query with the values of secret parameters replaced."""
    return "&".join(_mask_parameter(pair) for pair in query.split("&"))


def _mask_parameter(pair: str) -> str:
    name, equals, _value = pair.partition("=")
    plain = unquote(name).lower()
    is_secret = _SECRET_PARAMETER.search(plain) and plain not in _HARMLESS_PARAMETERS
    return f"{name}={MASK}" if equals and is_secret else pair


def _resolve(value: object, environ: Mapping[str, str]) -> str:
    """The text behind a plain string, {"env": NAME} or {"file": PATH}."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        reference = cast("dict[object, object]", value)
        match list(reference.items()):
            case [("env", str() as name)]:
                return _from_environment(name, environ)
            case [("file", str() as path)]:
                return _from_file(expand(Path(path), environ))
            case _:
                pass
    raise ValueError('must be a string, {"env": "NAME"} or {"file": "PATH"}')


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    if not environ.get(name):
        raise ValueError(f"the environment variable {name} is not set, or empty")
    return environ[name]


def _from_file(path: Path) -> str:
    if not path.is_absolute():
        raise ValueError(f"the file {str(path)!r} must be an absolute path, or start with ~/")
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise ValueError(f"the file {str(path)!r} cannot be read: {reason}") from exc
    if not text:
        raise ValueError(f"the file {str(path)!r} is empty")
    return text
