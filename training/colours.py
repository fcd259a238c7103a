"""Names for colours of paint."""

from collections.abc import Sequence

import numpy as np

NAMED = {
    "white": (222, 223, 222), "black": (24, 25, 28), "grey": (92, 95, 99), "silver": (162, 165, 168),
    "blue": (38, 62, 112), "red": (150, 26, 28), "green": (52, 74, 60), "beige": (186, 176, 152),
    "yellow": (196, 146, 44),
}  # fmt: skip
COLOURS = tuple(NAMED)
DARK_BLUE = (22, 34, 62)


def colour_name(rgb: Sequence[int]) -> str:
    """Return the name of the nearest paint, sRGB 0 to 255."""
    paints = [*NAMED.items(), ("blue", DARK_BLUE)]
    distance = [np.linalg.norm(np.subtract(rgb, paint)) for _, paint in paints]
    return paints[int(np.argmin(distance))][0]
