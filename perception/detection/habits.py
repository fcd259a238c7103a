"""How a detector errs, as tracking takes it into account."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from geometry.errors import InputError


@dataclass(frozen=True, kw_only=True)
class DetectorHabits:
    """What was measured of a detector on pictures that it was not trained on.

    box_share, foot_share: standard deviation of a side and of a foot, as a share of the box's size
    detected: share of visible objects that is detected at ``low_score``
    score_slope, score_middle: a detection of score s is right with log-odds slope * (logit(s) - middle)
    objects: visible in a picture, on average, where that was measured
    persist_s: how long an error of a side or foot lasts on what moves: the integral of its autocorrelation over
        positive lags; 0 where it was not measured
    low_score, high_score: below which detections say nothing, and from which more are right than wrong
    """

    box_share: float
    foot_share: float
    detected: float
    score_slope: float
    score_middle: float
    objects: float
    low_score: float
    high_score: float
    persist_s: float = 0.0

    def __post_init__(self) -> None:
        values = np.array(list(vars(self).values()), dtype=np.float64)
        shares = (self.detected, self.low_score, self.high_score)
        sound = np.isfinite(values).all() and all(0 < share < 1 for share in shares)
        sound = sound and min(self.box_share, self.foot_share, self.score_slope, self.objects) > 0
        if not (sound and self.persist_s >= 0 and self.low_score <= self.high_score):
            raise InputError(f"these can't be a detector's habits: {self}")

    @classmethod
    def of(cls, content: Any) -> Self:
        """Return what a network's file says. Raises ``InputError`` where it says something else."""
        try:
            return cls(**{name: float(value) for name, value in dict(content).items()})
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"a detector's habits can't be read ({error})") from error
