"""What the looks of all cameras together tell of each stall, as time passes."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SETTLE_S = 1.0
"""Over how long the looks of one camera are averaged: what stands or hides there does so from frame to frame."""
FORGET_S = 60.0
"""How long what a camera that looks no more has seen is remembered."""
MOST = 6.0


class StallLooks:
    """Log-odds of S stalls being taken.

    Looks of one camera that follow each other show the same, and are averaged; those of different cameras are
    independent evidence, and add up.
    """

    def __init__(self, stalls: Sequence[str]) -> None:
        """Begin without any look; unknown stalls are passed over later."""
        self.stalls = tuple(stalls)
        self._row = {stall: row for row, stall in enumerate(self.stalls)}
        self._odds: dict[str, Array] = {}
        self._time: dict[str, Array] = {}

    def update(self, camera: str, time: float, told: Mapping[str, float]) -> None:
        """Take what one frame of a camera tells: the probability of each stall that it sees."""
        known = [(self._row[stall], p) for stall, p in told.items() if stall in self._row]
        if not known:
            return
        rows, p = (np.array(part) for part in zip(*known, strict=True))
        share = np.clip(p, 1e-4, 1 - 1e-4)
        seen = np.clip(np.log(share) - np.log1p(-share), -MOST, MOST)
        odds = self._odds.setdefault(camera, np.zeros(len(self.stalls)))
        last = self._time.setdefault(camera, np.full(len(self.stalls), -np.inf))
        keeps = np.exp(-np.clip(time - last[rows], 0.0, None) / SETTLE_S)
        odds[rows] = keeps * odds[rows] + (1 - keeps) * seen
        last[rows] = np.maximum(last[rows], time)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Return which stalls (S,) some camera has looked at."""
        seen = np.zeros(len(self.stalls), dtype=np.bool_)
        for times in self._time.values():
            seen |= np.isfinite(times)
        return seen

    def log_odds(self, time: float) -> Array:
        """Return the log-odds (S,) at a time; 0 for what no camera has looked at."""
        total = np.zeros(len(self.stalls))
        for camera, odds in self._odds.items():
            total += odds * np.exp(-np.clip(time - self._time[camera], 0.0, None) / FORGET_S)
        return np.asarray(np.clip(total, -MOST, MOST))
