"""What a check found: good, worth a warning, or wrong and how to mend it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked; what is not ok comes with its mend."""

    check: str
    state: State
    what: str
    mend: str = ""


def ok(check: str, what: str) -> Finding:
    """It is as it should be."""
    return Finding(check, "ok", what)


def warning(check: str, what: str, mend: str) -> Finding:
    """It works, but not as well as it could."""
    return Finding(check, "warning", what, mend)


def problem(check: str, what: str, mend: str) -> Finding:
    """It keeps the memory from working."""
    return Finding(check, "problem", what, mend)
