"""A text in the site as a record: what is written, where, how surely."""

from typing import Annotated, Any, Literal

import shapely
from pydantic import BaseModel, ConfigDict, Field

from geometry.floorplan import Sign

Triple = tuple[float, float, float]
Probability = Annotated[float, Field(ge=0, le=1)]
Kind = Literal["board", "lettering", "floor", "vehicle"]


class SignLandmark(BaseModel):
    """A text and its place.

    level: id in the plan, empty without a plan or outside of it
    position, normal: the middle of the board (else of the text) in site metres, and the unit direction out of its face
    covariance: (3, 3) of the position, square metres; of a twin with what the map's own uncertainty adds
    width, height: of the board where ``kind`` is board, else of the text, metres
    letter_height: of the line of text, metres
    text: as most views spell it; probability: that its letters and digits are right, case and spaces apart
    alternatives: other readings and their probabilities, likeliest first
    views: in how many photos it was read
    kind: "board" stands on a surface with a visible outline; "lettering" is painted on something larger, "floor" on the
        floor; "vehicle" is a number plate or a firm's name, and not permanent
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    id: str
    level: str = ""
    position: Triple
    normal: Triple
    text: str
    width: Annotated[float, Field(gt=0)]
    height: Annotated[float, Field(gt=0)]
    letter_height: Annotated[float, Field(gt=0)]
    probability: Probability
    alternatives: tuple[tuple[str, Probability], ...] = ()
    covariance: tuple[Triple, Triple, Triple]
    views: Annotated[int, Field(ge=1)]
    kind: Kind

    @property
    def permanent(self) -> bool:
        """Whether it is part of the site."""
        return self.kind != "vehicle"

    def raised(self, metres: float) -> "SignLandmark":
        """Return it as if it hung so much higher."""
        x, y, z = self.position
        return self.model_copy(update={"position": (x, y, z + metres)})

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it; ``SignLandmark(**record)`` is its inverse."""
        return self.model_dump(mode="json")

    def to_sign(self) -> Sign:
        """Return it as a sign of a floor plan."""
        return Sign(
            id=self.id,
            level=self.level,
            position=shapely.Point(self.position),
            normal=self.normal,
            text=self.text,
            width=self.width,
            height=self.height,
        )
