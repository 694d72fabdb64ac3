"""Parameters that several tools share, described for the model that fills them in."""

from typing import Annotated

from pydantic import AfterValidator, Field


def _storable(number: int) -> int:
    """PostgreSQL's integers end here; saying so in every schema would cost more than it tells."""
    if number > 2_147_483_647:
        raise ValueError("is too large")
    return number


Count = Annotated[int, Field(ge=1), AfterValidator(_storable)]

DatabaseName = Annotated[str, Field(description="Default: current")]
Cursor = Annotated[str, Field(description="From next_cursor")]
Tags = Annotated[list[str] | None, Field(description="With all of these")]
IdempotencyKey = Annotated[str, Field(description="Same key: done once")]
