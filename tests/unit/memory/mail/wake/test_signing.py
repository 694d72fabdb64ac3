"""Signatures: checked as a receiver would, without our code."""

import hashlib
import hmac

from mcp_memory.memory.mail.wake.webhook import WINDOW_SECONDS, is_genuine, signature


def headers(timestamp: int, body: bytes, secret: str = "key") -> dict[str, str]:
    return {
        "x-mcp-memory-timestamp": str(timestamp),
        "X-MCP-Memory-Signature": signature(secret, timestamp, body),
    }


def test_anybody_can_compute_it() -> None:
    expected = hmac.new(b"key", b"1700000000.{}", hashlib.sha256).hexdigest()

    assert signature("key", 1_700_000_000, b"{}") == f"v1={expected}"


def test_only_this_body_this_secret_and_this_time_are_genuine() -> None:
    signed = headers(1000, b"body")

    assert is_genuine("key", signed, b"body", now=1000.0)
    assert is_genuine("key", signed, b"body", now=1000.0 + WINDOW_SECONDS)
    assert not is_genuine("key", signed, b"body", now=1001.0 + WINDOW_SECONDS)
    assert not is_genuine("key", signed, b"body", now=999.0 - WINDOW_SECONDS)
    assert not is_genuine("key", signed, b"other", now=1000.0)
    assert not is_genuine("other", signed, b"body", now=1000.0)
    assert not is_genuine("key", signed | {"x-mcp-memory-timestamp": "1001"}, b"body", now=1000.0)
    for timestamp in ("", "-1", "1e3", "\u0661\u0660\u0660\u0660", "9" * 400):
        forged = signed | {"x-mcp-memory-timestamp": timestamp}
        assert not is_genuine("key", forged, b"body", now=1000.0)
    assert not is_genuine("key", {}, b"body", now=1000.0)
