"""Signatures of webhooks: HMAC-SHA256 over the time and the body, so that neither can be changed.

A receiver that is written in Python may use `is_genuine` as it is.
"""

import hashlib
import hmac
from collections.abc import Mapping

TIMESTAMP_HEADER = "X-MCP-Memory-Timestamp"
SIGNATURE_HEADER = "X-MCP-Memory-Signature"
# What is older may be a replay. Within it the idempotency key tells.
WINDOW_SECONDS = 300


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """`v1=` and the hexadecimal HMAC of `<timestamp>.<body>`; the time in seconds since 1970."""
    signed = str(timestamp).encode() + b"." + body
    return f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether a request was signed with the secret, for this body, within the window.

    Names of headers are compared without case.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    timestamp = lowered.get(TIMESTAMP_HEADER.lower(), "")
    proof = lowered.get(SIGNATURE_HEADER.lower(), "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    is_fresh = abs(now - int(timestamp)) <= WINDOW_SECONDS
    expected = signature(secret, int(timestamp), body)
    return hmac.compare_digest(expected.encode(), proof.encode()) and is_fresh
