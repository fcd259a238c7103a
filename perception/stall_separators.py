"""Separators of a row that its stripes alone don't show: worn ones, those under cars, and stray stripes among them."""

import numpy as np
from numpy.typing import NDArray

from perception.stall_depths import mode, stretch
from perception.stall_options import LineEvidence, StallOptions, StallSize
from perception.stall_rows import SAME_M, Row

Array = NDArray[np.float64]

SEEN, CONFIRMED, INFERRED = 0, 1, 2
"""How a separator is known."""
SHIFTS_M = np.array([-0.08, -0.04, 0.0, 0.04, 0.08])
LEAST_PAINT_M = 0.35
"""Where paint of a separator is expected, so much of it confirms it, within these shifts."""
USUAL_M = 0.25
"""A width that differs from the row's usual one by more may hide a separator."""


def merged(c: Array) -> Array:
    """Return the means of what is nearer together than ``SAME_M``."""
    order = np.sort(c)
    part = np.concatenate([[0], np.cumsum(np.diff(order) > SAME_M)])
    return np.asarray(np.bincount(part, order) / np.bincount(part))


def usual_widths(gaps: Array) -> Array:
    """Return the widths that at least two of ``gaps`` (N,) share, the commonest first; with none, the commonest."""
    widths: list[float] = []
    left = gaps
    while len(left):
        width, count = mode(left, window=0.1)
        if widths and count < 2:
            break
        widths.append(width)
        left = left[np.abs(left - width) > USUAL_M]
    return np.array(widths)


def in_rhythm(c: Array, widths: Array, tolerance: float = 0.12) -> Array:
    """Drop what lies off the rhythm of both its neighbours where these are in rhythm with each other."""

    def fits(gap: Array) -> NDArray[np.bool_]:
        times = np.maximum(np.round(gap[:, None] / widths), 1)
        return np.asarray((np.abs(gap[:, None] - times * widths) < tolerance).any(axis=1))

    if len(c) < 3:
        return c
    gap = np.diff(c)
    off = ~fits(gap[:-1]) & ~fits(gap[1:]) & fits(c[2:] - c[:-2])
    return c[np.concatenate([[True], ~off, [True]])]


def separator_lines(row: Row, c: Array, start: float, end: float, options: StallOptions) -> Array:
    """Return lines (N, 2, 2) along separators at ``c``, from ``start`` to ``end`` metres of a row's depth."""
    front = row.front_at(c)
    return np.stack([row.points(c, front + d * stretch(row, options)) for d in (start, end)], axis=1)


def confirmed(
    row: Row, c: Array, widths: Array, depth: float, lines: LineEvidence, options: StallOptions
) -> tuple[Array, NDArray[np.int64]]:
    """Add separators a usual width away from known ones where some paint is seen, though too little for a stripe."""
    state = np.full(len(c), SEEN)
    steps = [*widths.tolist(), *_bay_gap(c)]
    for _ in range(options.max_missing + 1):
        guesses = np.concatenate([c + sign * step for step in steps for sign in (-1, 1)])
        guesses = merged(guesses[np.abs(guesses[:, None] - c).min(axis=1) > SAME_M])
        if not len(guesses):
            break
        trial = (guesses[:, None] + SHIFTS_M).ravel()
        strength = np.zeros((len(guesses), len(SHIFTS_M)))
        for end, least in ((min(1.0, depth), 0.6), (0.95 * depth, 0.5)):
            seen, painted = lines(separator_lines(row, trial, 0.05, end, options))
            good = (seen * end > LEAST_PAINT_M) & (painted > least)
            strength = np.maximum(strength, np.where(good, seen * end * painted, 0.0).reshape(strength.shape))
        best, good = strength.argmax(axis=1), strength.max(axis=1) > 0
        if not good.any():
            break
        c = np.concatenate([c, (guesses + SHIFTS_M[best])[good]])
        state = np.concatenate([state, np.full(good.sum(), CONFIRMED)])
        order = np.argsort(c, kind="stable")
        c, state = c[order], state[order]
    return c, state


def _bay_gap(c: Array) -> list[float]:
    """Return the gap, as of pillars, that repeatedly parts the bays of a row, if there is one."""
    gap, count = mode(np.diff(c)[(np.diff(c) > SAME_M + 0.1) & (np.diff(c) < 0.8)])
    return [gap] if count >= 2 else []


def completed(
    row: Row,
    c: Array,
    state: NDArray[np.int64],
    widths: Array,
    depth: float,
    size: StallSize,
    lines: LineEvidence,
    options: StallOptions,
) -> tuple[Array, NDArray[np.int64], NDArray[np.bool_]]:
    """Infer hidden separators in gaps of several usual widths; tell which gaps may hide one (N - 1,)."""
    new = [np.empty(0)]
    for low, gap in zip(c[:-1].tolist(), np.diff(c).tolist(), strict=True):
        counts = np.maximum(np.round(gap / widths), 1)
        best = int(np.abs(gap / counts - widths).argmin())
        count, width = int(counts[best]), float(widths[best])
        if 2 <= count <= options.max_missing + 1 and abs(gap - count * width) < 0.08 * count + 0.04:
            inner = low + gap / count * np.arange(1, count)
            if not _is_bare(row, inner, depth, lines, options).any():
                new.append(inner)
    extra = np.concatenate(new)
    c, state = np.concatenate([c, extra]), np.concatenate([state, np.full(len(extra), INFERRED)])
    order = np.argsort(c, kind="stable")
    c, state = c[order], state[order]
    gap = np.diff(c)
    near = widths[np.abs(gap[:, None] - widths).argmin(axis=1)]
    odd = gap - near > USUAL_M
    hidden = [lines(separator_lines(row, at, 0.05, 1.2, options))[0] < 0.6 for at in (c[:-1] + near, c[1:] - near)]
    return c, state, odd & (hidden[0] | hidden[1])


def _is_bare(row: Row, c: Array, depth: float, lines: LineEvidence, options: StallOptions) -> NDArray[np.bool_]:
    """Tell where separators are not, since floor without paint is seen both at the front and nearly all along."""
    bare = np.ones(len(c), dtype=bool)
    for end, least in ((min(1.2, depth), 0.6), (0.95 * depth, 0.8)):
        seen, painted = lines(separator_lines(row, c, 0.05, end, options))
        bare &= (seen > least) & (painted < 0.3)
    return bare


def end_at(row: Row, c: Array, depth: float, lines: LineEvidence, options: StallOptions) -> NDArray[np.bool_]:
    """Tell which separators don't go on beyond ``depth``, as those of deeper stalls would."""
    seen, painted = lines(separator_lines(row, c, depth + 0.25, depth + 1.2, options))
    return (seen < 0.3) | (painted < 0.4)
