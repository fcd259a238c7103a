"""What the looks of all cameras together tell of each stall, as time passes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TAKEN_ODDS, FREE_ODDS = 0.25, 0.05
"""Log-odds from which a stall is taken, and below which it is free; in between it stays what it was.

Lower ones than are usual: an empty stall half hidden by what is parked before it never looks surely empty.
"""
SETTLE_S = 2.0
"""Over how long the looks of one camera are averaged: what stands or hides there does so from frame to frame."""
FORGET_S = 60.0
"""How long what a camera that looks no more has seen is remembered."""
MOST = 6.0
"""Log-odds beyond which neither one look nor all of them are believed."""


@dataclass(kw_only=True, eq=False)
class StallLooks:
    """Log-odds of S stalls being taken.

    Looks of one camera that follow each other show the same, and are averaged; those of different cameras are
    independent evidence, and add up.

    stalls: their ids; odds, times: of each camera (S,), and when it last looked, -inf for never
    """

    stalls: tuple[str, ...]
    odds: dict[str, Array] = field(default_factory=dict)
    times: dict[str, Array] = field(default_factory=dict)

    @cached_property
    def _row(self) -> dict[str, int]:
        return {stall: row for row, stall in enumerate(self.stalls)}

    def update(self, camera: str, time: float, told: Mapping[str, float]) -> None:
        """Take what one frame of a camera tells: the probability of each stall that it sees; unknown ones are passed
        over."""
        known = [(self._row[stall], p) for stall, p in told.items() if stall in self._row]
        if not known:
            return
        rows, p = (np.array(part) for part in zip(*known, strict=True))
        share = np.clip(p, 1e-4, 1 - 1e-4)
        seen = np.clip(np.log(share) - np.log1p(-share), -MOST, MOST)
        odds = self.odds.setdefault(camera, np.zeros(len(self.stalls)))
        last = self.times.setdefault(camera, np.full(len(self.stalls), -np.inf))
        since = time - last[rows]
        # A clock that was set back begins anew.
        keeps = np.where(since < -SETTLE_S, 0.0, np.exp(-np.clip(since, 0.0, None) / SETTLE_S))
        odds[rows] = keeps * odds[rows] + (1 - keeps) * seen
        last[rows] = np.where(since < -SETTLE_S, time, np.maximum(last[rows], time))

    def seen(self, time: float) -> NDArray[np.bool_]:
        """Return at which stalls (S,) some camera has looked lately."""
        lately = np.zeros(len(self.stalls), dtype=np.bool_)
        for times in self.times.values():  # each by itself: a camera whose clock is ahead hides no other's look
            lately |= np.abs(time - times) <= FORGET_S
        return lately

    def log_odds(self, time: float) -> Array:
        """Return the log-odds (S,) at a time; 0 for what no camera has looked at."""
        total = np.zeros(len(self.stalls))
        for camera, odds in self.odds.items():
            total += odds * np.exp(-np.abs(time - self.times[camera]) / FORGET_S)
        return np.asarray(np.clip(total, -MOST, MOST))
