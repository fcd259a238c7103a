"""Probabilities over a few names, a row for each of N things: what kind a vehicle is, what colour."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError

MAX_NAME, MAX_NAMES = 100, 64
"""Letters of a name, and names of one thing, that are read."""
TOLD = ("kinds", "colours")
"""What detections and tracks have shares of, under ``meta`` in their files."""


def told_shares(meta: Mapping[str, Any], name: str) -> dict[str, float]:
    """Return the probabilities by name that a record's ``meta`` has under a name; empty where that is anything else.

    ``meta`` may hold what others wrote: shares are positive numbers for words, and are made to sum to 1.
    """
    given = meta.get(name)
    if not isinstance(given, dict) or not 0 < len(given) <= MAX_NAMES:
        return {}
    for word, share in given.items():
        is_number = isinstance(share, int | float) and not isinstance(share, bool)
        if not (isinstance(word, str) and 0 < len(word) <= MAX_NAME and is_number and 0 <= share <= 1):
            return {}
    total = sum(given.values())
    return {word: share / total for word, share in given.items()} if total > 0 else {}


@dataclass(frozen=True, kw_only=True, eq=False)
class Shares:
    """names: K words; values: (N, K) float64, rows that sum to 1, or of NaN where nothing is known."""

    names: tuple[str, ...]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        values = self.values
        if values.ndim != 2 or values.shape[1] != len(self.names) or values.dtype != np.float64:
            raise InputError(f"shares: expected (N, {len(self.names)}) float64, got {values.shape} {values.dtype}")
        known = values[~np.isnan(values).any(axis=1)]
        if (known < 0).any() or not np.allclose(known.sum(axis=1), 1.0, atol=1e-3):
            raise InputError("shares: each row is not negative and sums to 1")

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: NDArray[np.integer] | NDArray[np.bool_]) -> "Shares":
        """Return some of the rows."""
        return Shares(names=self.names, values=self.values[index])

    def named(self, row: int, least: float = 0.005) -> dict[str, float]:
        """Return a row as a dict, likeliest first, without what is less likely than ``least``; empty for NaN."""
        values = self.values[row]
        order = np.argsort(-values, kind="stable").tolist()
        return {self.names[i]: round(float(values[i]), 4) for i in order if values[i] >= least}
