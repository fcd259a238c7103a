"""When stalls were taken, of a whole recording: the likeliest course of two states under all looks (Viterbi)."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

WEIGHT_PER_S = 0.4
"""How many independent looks a second of looking counts for: what hides a stall, or looks like a car, stays."""
CHANGE_ODDS = 4.0
"""Log-odds against a change at any second."""


def decoded(odds: Array, step_s: Array, threshold: float) -> Mask:
    """Return (T, S) whether each stall is taken, so that a few looks gone wrong change nothing.

    odds: (T, S) log-odds of being taken, of the looks by then; step_s: (T,) seconds since the row before
    threshold: log-odds that speak neither way
    """
    if len(odds) == 0:
        return np.zeros(odds.shape, dtype=np.bool_)
    speaks = WEIGHT_PER_S * step_s[:, None] * (odds - threshold)
    free, taken = np.zeros(odds.shape[1]), speaks[0].copy()
    came = np.zeros((2, *odds.shape), dtype=np.bool_)  # whether the best way to be free, or taken, was from the other
    for t in range(1, len(odds)):
        came[0, t], came[1, t] = taken - CHANGE_ODDS > free, free - CHANGE_ODDS > taken
        free, taken = np.maximum(free, taken - CHANGE_ODDS), np.maximum(taken, free - CHANGE_ODDS) + speaks[t]
    states = np.zeros(odds.shape, dtype=np.bool_)
    states[-1] = taken > free
    for t in range(len(odds) - 1, 0, -1):
        states[t - 1] = states[t] ^ np.where(states[t], came[1, t], came[0, t])
    return states


def levelled(odds: Array, states: Mask) -> Array:
    """Return log-odds (T, S) of which each stretch (T, S) of one state has its mean."""
    found = odds.copy()
    for stall in range(odds.shape[1]):
        breaks = np.flatnonzero(np.diff(states[:, stall])) + 1
        for part in np.split(np.arange(len(odds)), breaks):
            found[part, stall] = odds[part, stall].mean() if len(part) else 0.0
    return found
