"""Parameters that several tools share, described for the model that fills them in."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field


def _storable(number: int) -> int:
    """PostgreSQL's integers end here; saying so in every schema would cost more than it tells."""
    if number > 2_147_483_647:
        raise ValueError("is too large")
    return number


def _empty_none(value: object) -> object:
    """An empty list means "as it is" everywhere, so that one that shall be empty says so."""
    return [] if value == ["none"] else value


# For lists of what is changed: `Annotated[list[str] | None, EMPTIED_BY_NONE, Field(...)]`.
EMPTIED_BY_NONE = BeforeValidator(_empty_none)

Count = Annotated[int, Field(ge=1), AfterValidator(_storable)]

DatabaseName = Annotated[str, Field(description="Default: current")]
Cursor = Annotated[str, Field(description="From next_cursor")]
Tags = Annotated[list[str] | None, Field(description="With all of these")]
IdempotencyKey = Annotated[str, Field(description="Same key: done once")]
