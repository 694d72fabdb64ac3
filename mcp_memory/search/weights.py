"""The learned numbers of the ranking, as the table they are shipped in."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypedDict, cast

from mcp_memory.search.kinds import PRIORS


class _Table(TypedDict):
    features: dict[str, float]
    calibration: dict[str, float]


@dataclass(frozen=True, slots=True)
class Weights:
    """What each feature is worth in the order, priors too, and what the score is made of.

    The score is a probability: the logistic function of `coverage`, `cosine` and `constant`. Where
    only meaning is asked for, it is that of `cosine_only`.
    """

    features: dict[str, float]
    coverage: float
    cosine: float
    constant: float
    cosine_only: tuple[float, float]


# Other models' cosines are taken to be spread like MiniLM's; without any, words must do.
_DEFAULT, _WITHOUT_VECTORS = "minilm", "hashing"


# Slope and constant where words have no say. Beside words, what hashing vectors share (spelling)
# adds little; by themselves it is all there is. Set by hand, not learned: in a talk of five
# messages the cosine was .48 to .75 where the words asked for stood, mostly below .25 elsewhere.
_HASHING_ONLY = (10.0, -3.5)


@cache
def weights_for(provider: str) -> Weights:
    """The weights learned with this provider's vectors, or with the most similar ones known."""
    text = files("mcp_memory.search").joinpath("weights.json").read_text("utf-8")
    tables = cast("dict[str, _Table]", json.loads(text))
    table = tables.get(provider or _WITHOUT_VECTORS, tables[_DEFAULT])
    calibration = table["calibration"]
    joint = (calibration["cosine"], calibration["constant"])
    return Weights(
        table["features"] | PRIORS,
        calibration["coverage"],
        *joint,
        cosine_only=_HASHING_ONLY if provider == _WITHOUT_VECTORS else joint,
    )
