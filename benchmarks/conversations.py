"""Conversations with questions and the messages that answer them, as LoCoMo or BEAM have them."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict, cast

_LOCOMO_TIME = re.compile(r"(\d+):(\d+) (am|pm) on (\d+) (\w+), (\d+)")


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as it is appended."""

    id: str
    session: str
    role: str
    speaker: str
    text: str
    said_at: datetime


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the ids of the messages that answer it."""

    text: str
    category: str
    evidence: frozenset[str]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A corpus of its own: its turns in order, and what is asked of it."""

    name: str
    kind: str
    turns: list[Turn]
    questions: list[Question]


class _LocomoTurn(TypedDict):
    id: str
    speaker: str
    text: str


class _LocomoSession(TypedDict):
    session: int
    date_time: str
    turns: list[_LocomoTurn]


class _Asked(TypedDict):
    question: str
    category: object
    evidence: list[object]


class _Locomo(TypedDict):
    sample_id: str
    sessions: list[_LocomoSession]
    qa: list[_Asked]


class _BeamMessage(TypedDict):
    id: int
    role: str
    time_anchor: str
    session: int
    text: str


class _Beam(TypedDict):
    id: str
    messages: list[_BeamMessage]
    qa: list[_Asked]


def load(path: Path) -> list[Conversation]:
    """The conversations of a file; which shape it has is seen from its first entry.

    Their kind is the file's name up to the first `_` or `-`: `locomo` of `locomo_dev.json`.
    """
    entries = cast("list[dict[str, object]]", json.loads(path.read_text("utf-8")))
    kind = re.split("[_-]", path.stem.lower())[0]
    if "sessions" in entries[0]:
        return [_locomo(cast("_Locomo", cast("object", entry)), kind) for entry in entries]
    return [_beam(cast("_Beam", cast("object", entry)), kind) for entry in entries]


def _locomo(entry: _Locomo, kind: str) -> Conversation:
    turns = [
        Turn(
            turn["id"],
            f"session-{session['session']}",
            "user",
            turn["speaker"],
            turn["text"],
            _locomo_time(session["date_time"]) + timedelta(seconds=20 * place),
        )
        for session in entry["sessions"]
        for place, turn in enumerate(session["turns"])
    ]
    return Conversation(entry["sample_id"], kind, turns, _questions(entry["qa"], turns))


def _locomo_time(text: str) -> datetime:
    """`1:56 pm on 8 May, 2023`."""
    match = _LOCOMO_TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a time of LoCoMo's: {text!r}")
    hour = int(match[1]) % 12 + (12 if match[3] == "pm" else 0)
    day = datetime.strptime(f"{match[4]} {match[5]} {match[6]}", "%d %B %Y")
    return day.replace(hour=hour, minute=int(match[2]), tzinfo=UTC)


def _beam(entry: _Beam, kind: str) -> Conversation:
    turns: list[Turn] = []
    said_at = datetime(2024, 1, 1, tzinfo=UTC)
    for message in entry["messages"]:
        said_at = max(_beam_time(message["time_anchor"], said_at), said_at + timedelta(seconds=20))
        turns.append(
            Turn(
                str(message["id"]),
                f"session-{message['session']}",
                message["role"],
                "",
                message["text"],
                said_at,
            )
        )
    return Conversation(entry["id"], kind, turns, _questions(entry["qa"], turns))


def _beam_time(anchor: str, fallback: datetime) -> datetime:
    """`March-15-2024`; messages without an anchor follow the one before."""
    try:
        return datetime.strptime(anchor, "%B-%d-%Y").replace(hour=9, tzinfo=UTC)
    except (TypeError, ValueError):
        return fallback


def _questions(asked: list[_Asked], turns: list[Turn]) -> list[Question]:
    """The questions that have evidence among the turns."""
    known = {turn.id for turn in turns}
    questions = [
        Question(
            each["question"],
            str(each["category"]),
            frozenset(str(found) for found in each["evidence"]) & known,
        )
        for each in asked
    ]
    return [question for question in questions if question.evidence]
