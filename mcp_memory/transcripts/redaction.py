"""Secrets in captured text, taken out before anything is stored.

Formats that are known are told by their prefix; the rest by standing after a word such as
`password=`. To know a further one, add a line to `_FORMATS`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import cast

_FORMATS = {
    "private_key": r"-----BEGIN[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"[\s\S]*?(?:-----END[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    "aws_key": r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    "github_token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{40,255})",
    "gitlab_token": r"\bgl(?:pat|ptt|rt|dt|soat)-[A-Za-z0-9_-]{20,}",
    "slack_token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Za-z0-9-]{10,}",
    "slack_webhook": r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,}",
    "anthropic_key": r"\bsk-ant-[A-Za-z0-9_-]{20,}",
    "openai_key": r"\bsk-(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,}",
    "stripe_key": r"\b(?:[rs]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,}",
    "google_key": r"\bAIza[A-Za-z0-9_-]{35}|\bya29\.[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{20,}",
    "huggingface_token": r"\bhf_[A-Za-z0-9]{30,}",
    "npm_token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "pypi_token": r"\bpypi-AgE[A-Za-z0-9_-]{30,}",
    "sendgrid_key": r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "twilio_key": r"\bSK[0-9a-f]{32}\b",
    "digitalocean_token": r"\bdo[opr]_v1_[a-f0-9]{64}\b",
    "shopify_token": r"\bshp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}\b",
    "telegram_token": r"\b\d{8,10}:AA[A-Za-z0-9_-]{33}\b",
    "memory_key": r"\bmm_[A-Za-z0-9_-]{20,}",
    "jwt": r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    "url_password": r"(?<=://)[^\s/:@]{0,100}:[^\s/@]{1,200}(?=@)",
    "bearer_token": r"(?i:(?<=bearer ))[A-Za-z0-9._~+/-]{16,}=*",
    # A name that promises a secret, and a value that looks like one: letters and digits mixed.
    "assigned_secret": r"(?i:(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)"
    r"[\"']?\s{0,3}(?:[:=]|=>)\s{0,3}[\"']?)"
    r"(?P<assigned_value>(?=[^\s\"']{0,60}\d)(?=[^\s\"']{0,60}[A-Za-z])[^\s\"'(){}\[\]<>,;]{12,})",
}
_SECRET = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _FORMATS.items()))


def redact(text: str) -> str:
    """The text with each secret replaced by its kind, such as `[redacted: github token]`."""
    return _SECRET.sub(_replacement, text)


def _replacement(match: re.Match[str]) -> str:
    kind = next(name for name in _FORMATS if match[name] is not None)
    mark = f"[redacted: {kind.replace('_', ' ')}]"
    assigned = match["assigned_value"]
    return mark if assigned is None else match[0].removesuffix(assigned) + mark


def redact_values(document: Mapping[str, object]) -> dict[str, object]:
    """The JSON object with the secrets in all its texts replaced."""
    return {redact(str(key)): _redact_value(value) for key, value in document.items()}


def _redact_value(value: object) -> object:
    match value:
        case str():
            return redact(value)
        case Mapping():
            return redact_values(cast("Mapping[str, object]", value))
        case list() | tuple():
            return [_redact_value(item) for item in cast("Sequence[object]", value)]
        case _:
            return value
