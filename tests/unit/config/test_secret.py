"""Secrets: what reveals them, and what must not."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from mcp_memory.config.secret import DatabaseUrl, Secret, WebUrl, mask_url
from mcp_memory.config.values import Sources

PASSWORD = "hunter2-Ωmega"
# Enough alphabet to break a parser, none of it in the rest of the URL.
AWKWARD = st.text(alphabet="QZ:/?#@&=%[], '\\é", min_size=1).filter(lambda text: "Q" in text)


class Holder(BaseModel):
    """A model with one of each."""

    secret: Secret | None = None
    url: DatabaseUrl | None = None
    web: WebUrl | None = None


def test_a_secret_is_given_by_reveal_alone() -> None:
    holder = Holder.model_validate({"secret": PASSWORD})
    shown = [
        str(holder.secret),
        repr(holder.secret),
        f"{holder.secret}",
        repr(holder),
        holder.model_dump_json(),
        repr(holder.model_dump()),
    ]
    assert holder.secret is not None
    assert holder.secret.reveal() == PASSWORD
    assert [text for text in shown if PASSWORD in text] == []


def test_secrets_are_equal_by_value_and_kind() -> None:
    assert Secret("a") == Secret("a")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("https://a") != WebUrl("https://a")


def test_a_secret_is_read_from_a_variable() -> None:
    sources = Sources({"KEY": PASSWORD})
    holder = Holder.model_validate({"secret": {"env": "KEY"}}, context=sources)
    assert holder.secret == Secret(PASSWORD)


def test_a_secret_is_read_from_a_file_below_home_without_its_last_newline(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f" {PASSWORD} \n", encoding="utf-8")
    sources = Sources({"HOME": str(tmp_path)})
    holder = Holder.model_validate({"secret": {"file": "~/key"}}, context=sources)
    assert holder.secret == Secret(f" {PASSWORD} ")


@pytest.mark.parametrize(
    ("given_value", "named"),
    [
        ({"env": "ABSENT"}, "ABSENT"),
        ({"env": "EMPTY"}, "EMPTY"),
        ({"file": "/absent/key"}, "/absent/key"),
        ({"file": "key"}, "key"),
        ({"env": "A", "file": "/b"}, '{"env": "NAME"}'),
        ({"environment": "A"}, '{"env": "NAME"}'),
        (5, '{"env": "NAME"}'),
        ("", "empty"),
        ("a\0b", "NUL"),
    ],
)
def test_a_secret_that_cannot_be_read_is_refused_with_its_place(
    given_value: object, named: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Holder.model_validate({"secret": given_value}, context=Sources({"EMPTY": ""}))
    assert named in caught.value.errors()[0]["msg"]


def test_a_secret_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValidationError, match="UTF-8"):
        Holder.model_validate({"secret": {"file": str(key)}})


def test_a_database_address_is_shown_without_its_password() -> None:
    holder = Holder.model_validate({"url": f"postgresql://me:{PASSWORD}@h:1/db?sslmode=require"})
    assert json.loads(holder.model_dump_json())["url"] == (
        "postgresql://me:***@h:1/db?sslmode=require"
    )
    assert PASSWORD not in repr(holder)


@pytest.mark.parametrize("address", ["mysql://u:p@h/db", "h/db", "host=h", "POSTGRES://h"])
def test_a_database_address_of_another_kind_is_refused_unquoted(address: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Holder.model_validate({"url": address})
    assert address not in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize("address", ["ftp://h", "https://", "h:80", "https:///path"])
def test_a_web_address_needs_http_and_a_host(address: str) -> None:
    with pytest.raises(ValidationError):
        Holder.model_validate({"web": address})


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgres://me:secret@host", "postgres://me:***@host"),
        ("postgres://:secret@host/db", "postgres://:***@host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql://host:5432/db", "postgresql://host:5432/db"),
        ("postgresql:///db", "postgresql:///db"),
        ("postgresql://", "postgresql://"),
        ("postgresql://[::1]:5432/db", "postgresql://[::1]:5432/db"),
        ("postgresql://me:secret@[::1]:5432/db", "postgresql://me:***@[::1]:5432/db"),
        ("postgresql://a:1,b:2/db", "postgresql://a:1,b:2/db"),
        ("postgresql://me:secret@a:1,b:2/db", "postgresql://me:***@a:1,b:2/db"),
        ("postgresql://me:secret@%2Ftmp%2Fpg/db", "postgresql://me:***@%2Ftmp%2Fpg/db"),
        ("postgresql:///db?host=/tmp/a b&user=me", "postgresql:///db?host=/tmp/a b&user=me"),
        ("postgresql:///db?user=me@x", "postgresql:///db?user=me@x"),
        ("postgresql://h:5432/db?user=me@x", "postgresql://h:5432/db?user=me@x"),
        ("postgresql://h/db?password=secret", "postgresql://h/db?password=***"),
        ("postgresql://h/db?pass%77ord=secret&a=b", "postgresql://h/db?pass%77ord=***&a=b"),
        ("postgresql://h/?sslpassword=secret", "postgresql://h/?sslpassword=***"),
        ("postgresql://h/?passfile=/a&sslkey=/b", "postgresql://h/?passfile=/a&sslkey=/b"),
        ("postgres://me:se/cr@et@host/db", "postgres://me:***@host/db"),
        ("postgres://me:se?cret@host/db", "postgres://me:***@host/db"),
        ("https://h/hook?token=secret&x=1", "https://h/hook?token=***&x=1"),
        ("https://h/v1?api-key=secret&sig=secret", "https://h/v1?api-key=***&sig=***"),
        ("host=h password=secret dbname=d", "host=h password=*** dbname=d"),
        ("password = 'sec ret\\' x' host=h", "password = *** host=h"),
        ("not an address", "not an address"),
    ],
)
def test_an_address_is_masked(url: str, masked: str) -> None:
    assert mask_url(url) == masked


@given(password=AWKWARD)
def test_no_password_however_awkward_survives_masking(password: str) -> None:
    # Q stands in every password and nowhere else: after the first ':' nothing of it may be left.
    assert "Q" not in mask_url(f"postgresql://me:{password}@host:5432/db")


@given(text=st.text())
def test_masking_takes_any_text_and_twice_is_once(text: str) -> None:
    assert mask_url(mask_url(text)) == mask_url(text)
