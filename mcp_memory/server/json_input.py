"""JSON as clients send it: what no JSON parser of the database would take is refused at once."""

import json
from math import isfinite
from typing import cast

from pydantic import JsonValue


def parsed_json(text: str | bytes) -> JsonValue:
    """The value; `ValueError` for what is no JSON, NaN and infinite numbers included."""
    value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    return cast("JsonValue", value)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError("a number is too large")
    return number
