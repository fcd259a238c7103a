"""What lights a scene: lamps, the sun, the sky, and the light that everything else bounces."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError

FloatArray = NDArray[np.float32]
Colour = tuple[float, float, float]

SAMPLES_PER_TUBE = 3
"""Points along a tube or panel that shine on their own: shadows across it get soft, and are steps no one sees."""


@dataclass(frozen=True, kw_only=True)
class Lamp:
    """A lamp; linear colours, 1 is the white of the picture before exposure.

    id: its name in the scene
    position: (x, y, z) of its middle, site metres, a little below the ceiling or case it hangs on
    kind: a tube or panel sends light downwards with the cosine of the angle; a spot in a narrower cone downwards; a
        pole to all sides
    length: metres of a tube or panel along ``yaw``, in radians counter-clockwise from site +x
    flux: radiance that it gives a white surface facing it at one metre straight below, times ``colour``
    on: a lamp that is off is kept, so that lamps have the same order in every lighting state
    """

    id: str
    position: tuple[float, float, float]
    kind: Literal["tube", "panel", "spot", "pole"] = "tube"
    length: float = 1.5
    yaw: float = 0.0
    colour: Colour = (1.0, 0.97, 0.9)
    flux: float = 6.0
    on: bool = True

    def __post_init__(self) -> None:
        numbers = np.array([*self.position, self.length, self.yaw, *self.colour, self.flux])
        if not np.isfinite(numbers).all() or self.length < 0 or self.flux < 0 or min(self.colour) < 0:
            raise InputError("a lamp needs finite numbers and no negative length, colour or flux", where=self.id)
        if self.kind not in _BEAM_EXPONENTS:
            raise InputError(
                f"no lamp is a '{self.kind}'", where=self.id, remedy=f"Known: {', '.join(_BEAM_EXPONENTS)}."
            )


@dataclass(frozen=True, kw_only=True)
class SunLight:
    """Sunlight from ``direction`` (towards the sun, site), with ``colour`` on a white surface facing it.

    spread: half-angle of the sun's disc in radians, larger than the real 0.0046 for a softer edge
    """

    direction: tuple[float, float, float]
    colour: Colour = (1.45, 1.31, 1.10)
    spread: float = 0.01

    def __post_init__(self) -> None:
        length = float(np.linalg.norm(self.direction))
        if not (np.isfinite(length) and length > 0 and 0 <= self.spread < 0.5 and np.isfinite(self.colour).all()):
            raise InputError("sunlight needs a direction, finite colours and a spread under half a radian")


@dataclass(frozen=True, kw_only=True)
class Lighting:
    """All light of a scene at one moment: one lighting state.

    zenith_colour, horizon_colour: radiance of the sky; black for an indoor scene without windows
    ambient: radiance of light bounced more than once, reaching every surface where nothing near shades it
    """

    lamps: tuple[Lamp, ...] = ()
    sun: SunLight | None = None
    zenith_colour: Colour = (0.34, 0.54, 0.88)
    horizon_colour: Colour = (0.88, 0.95, 1.0)
    ambient: Colour = (0.03, 0.03, 0.03)


@dataclass(frozen=True, kw_only=True, eq=False)
class Emitters:
    """The lit lamps as arrays, their tubes as points.

    points: (L, S, 3) float32 site metres; radiance: (L, 3) float32, flux times colour of a whole lamp
    exponent: (L,) float32, of the cosine to straight down; 0 shines to all sides
    """

    points: FloatArray
    radiance: FloatArray
    exponent: FloatArray


_BEAM_EXPONENTS = {"tube": 1.0, "panel": 1.0, "spot": 8.0, "pole": 0.0}


def emitters(lamps: tuple[Lamp, ...]) -> Emitters:
    """Return the lamps that are on as arrays, in their order."""
    lit = [lamp for lamp in lamps if lamp.on and lamp.flux > 0]
    steps = (np.arange(SAMPLES_PER_TUBE) + 0.5) / SAMPLES_PER_TUBE - 0.5
    along = np.array([[np.cos(lamp.yaw), np.sin(lamp.yaw), 0.0] for lamp in lit]).reshape(-1, 1, 3)
    lengths = np.array([lamp.length for lamp in lit]).reshape(-1, 1, 1)
    middles = np.array([lamp.position for lamp in lit]).reshape(-1, 1, 3)
    return Emitters(
        points=(middles + steps[:, None] * lengths * along).astype(np.float32),
        radiance=np.array([lamp.flux * np.array(lamp.colour) for lamp in lit], dtype=np.float32).reshape(-1, 3),
        exponent=np.array([_BEAM_EXPONENTS[lamp.kind] for lamp in lit], dtype=np.float32),
    )


def sky_radiance(directions: FloatArray, lighting: Lighting) -> FloatArray:
    """Return the sky's linear RGB (..., 3) in unit directions (..., 3): horizon to zenith, hazy low down."""
    height = np.clip(directions[..., 2:], 0.0, 1.0).astype(np.float32) ** np.float32(0.55)
    horizon, zenith = (np.array(c, dtype=np.float32) for c in (lighting.horizon_colour, lighting.zenith_colour))
    return horizon + height * (zenith - horizon)
