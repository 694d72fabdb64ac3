"""Secrets are taken out; what only looks a little like one stays."""

import pytest

from mcp_memory.memory.conversations.batch import redact, redact_values

LETTERS = "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0bC3dE6gH9j"
SECRETS = {
    "private key": f"-----BEGIN RSA PRIVATE KEY-----\n{LETTERS}\n-----END RSA PRIVATE KEY-----",
    "aws key": "AKIA" + "A1B2C3D4E5F6G7H8",
    "github token": "ghp_" + LETTERS[:36],
    "gitlab token": "glpat-" + LETTERS[:20],
    "slack token": "xoxb-" + "1234567890-abcdef",
    "anthropic key": "sk-ant-" + LETTERS,
    "openai key": "sk-proj-" + LETTERS,
    "stripe key": "sk_live_" + LETTERS[:24],
    "google key": "AIza" + LETTERS[:35],
    "huggingface token": "hf_" + LETTERS[:34],
    "npm token": "npm_" + LETTERS[:36],
    "pypi token": "pypi-AgE" + LETTERS,
    "sendgrid key": f"SG.{LETTERS[:22]}.{LETTERS}",
    "digitalocean token": "dop_v1_" + "0a" * 32,
    "memory key": "mm_" + LETTERS,
    "jwt": f"eyJ{LETTERS}.eyJ{LETTERS}.{LETTERS}",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_replaced_by_its_kind(kind: str) -> None:
    assert redact(f"It is {SECRETS[kind]} now.") == f"It is [redacted: {kind}] now."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "postgresql://ann:s3cr3t@db/x",
            "postgresql://[redacted: url password]@db/x",
        ),
        (f"Authorization: Bearer {LETTERS}", "Authorization: Bearer [redacted: bearer token]"),
        ('{"password": "tr0ub4dor&3x"}', '{"password": "[redacted: assigned secret]"}'),
        ("API_KEY=abc123def456ghi", "API_KEY=[redacted: assigned secret]"),
        ("-----BEGIN PRIVATE KEY-----\nMIIcut off", "[redacted: private key]"),
    ],
)
def test_a_secret_is_known_by_what_stands_before_it(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The secret of the harbour is that the boats leave at 5.",
        "max_tokens = 4000 and the password is asked for",
        "see https://example.com/a/b@c and ann@example.com",
        "token: str = Field(description='a token')",
        "commit 9f3c2e1a7b6d5f4e3c2b1a0f9e8d7c6b5a4f3e2d",
        "the bearer of this letter",
        "sk-learn and task-oriented work",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert redact(text) == text


def test_all_texts_of_a_document_are_looked_through() -> None:
    key = SECRETS["github token"]
    assert redact_values({"a": [{"b": key}], "n": 1, "t": (key,), "none": None}) == {
        "a": [{"b": "[redacted: github token]"}],
        "n": 1,
        "t": ["[redacted: github token]"],
        "none": None,
    }
