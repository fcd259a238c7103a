"""What stalls may be like, and what else than stripes is asked about the floor."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from perception.stall_rows import RowOptions

Array = NDArray[np.float64]
LineEvidence = Callable[[Array], tuple[Array, Array]]
"""For lines (N, 2, 2): the shares of them that are seen, and of what is seen that is painted."""
AreaEvidence = Callable[[Array], Array]
"""For points (N, 2): whether free floor is seen there, in [0, 1]."""


@dataclass(frozen=True, kw_only=True)
class StallSize:
    """The sizes that a kind of stall may have: metres across and deep (at right angles to the row)."""

    kind: str
    width: tuple[float, float]
    depth: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class StallOptions:
    """How stalls are proposed.

    sizes: of stalls, by kind; the first fitting one counts
    max_missing: so many separators in a row may be inferred side by side
    apron: so many metres of free floor are wanted in front of a stall
    echelon: stalls of oblique rows are rectangles, each standing back from the next, rather than parallelograms
    """

    sizes: tuple[StallSize, ...] = (
        StallSize(kind="standard", width=(2.2, 3.7), depth=(4.0, 6.0)),
        StallSize(kind="motorcycle", width=(0.8, 1.2), depth=(1.9, 2.7)),
    )
    max_missing: int = 3
    apron: float = 2.5
    echelon: bool = False
    rows: RowOptions = field(default_factory=RowOptions)
