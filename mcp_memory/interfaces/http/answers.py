"""How HTTP says no: `{"error", "message", "status"}`, and on MCP's path an error of JSON-RPC."""

from collections.abc import Mapping

from mcp_types import INTERNAL_ERROR, INVALID_REQUEST
from starlette.responses import JSONResponse

_WORDS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "unprocessable",
    429: "too_many_requests",
    503: "unavailable",
}
_RETRY_AFTER_SECONDS = "1"

MCP_PATH = "/mcp"


def refusal(
    path: str, status: int, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer to a request for this path that is not carried out."""
    extra = {"Retry-After": _RETRY_AFTER_SECONDS} if status == 503 else {}
    body = _for_mcp(status, message) if path == MCP_PATH else _plain(status, message)
    return JSONResponse(body, status, {**extra, **(headers or {})})


def word_of(status: int) -> str:
    """The word for a status, by which a program tells one refusal from another."""
    return _WORDS.get(status, "error")


def _plain(status: int, message: str) -> dict[str, object]:
    return {"error": word_of(status), "message": message, "status": status}


def _for_mcp(status: int, message: str) -> dict[str, object]:
    """MCP clients show the text of a JSON-RPC error, and of nothing else."""
    code = INVALID_REQUEST if status < 500 else INTERNAL_ERROR
    error = {"code": code, "message": message, "data": {"status": status}}
    return {"jsonrpc": "2.0", "id": None, "error": error}
