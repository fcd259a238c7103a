"""Rows of parallel stripes whose ends lie on one line: candidates for rows of stalls."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

SAME_M = 0.2
"""Separators nearer than this are one."""


@dataclass(frozen=True, kw_only=True)
class RowOptions:
    """What makes a row.

    angle_deg: stripes of a row are parallel within this; tolerance: metres between a stripe's end and the front line
    spacing: metres between stripes by which a front line may be guessed; max_gap: a longer one divides a row
    max_slope: of the front line against the square to the stripes, 1.2 for rows at 40 degrees
    min_stripes: fewer make no row
    """

    angle_deg: float = 4.0
    tolerance: float = 0.15
    spacing: tuple[float, float] = (0.8, 3.7)
    max_gap: float = 11.0
    max_slope: float = 1.2
    min_stripes: int = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """A line of stripes' ends, in its own frame: ``a`` along the stripes from that line on, ``c`` to their right.

    inward: (2,) the unit direction of a; a point of the frame is c * right + a * inward
    front: (offset, slope) of the front line a = offset + slope * c
    stripes: (R,) indices of the stripes that end on it, in order of c; c: (R,); far: (R,) a of their other ends
    """

    inward: Array
    front: tuple[float, float]
    stripes: Indices
    c: Array
    far: Array

    @property
    def right(self) -> Array:
        """(2,) the unit direction of c."""
        return right_of(self.inward)

    def front_at(self, c: ArrayLike) -> Array:
        """Return a (N,) of the front line at ``c`` (N,)."""
        return self.front[0] + self.front[1] * np.asarray(c, dtype=np.float64)

    def points(self, c: ArrayLike, a: ArrayLike) -> Array:
        """Return the points (N, 2) at ``c`` and ``a`` of the row's frame."""
        return np.asarray(np.asarray(c)[..., None] * self.right + np.asarray(a)[..., None] * self.inward)


def right_of(inward: Array) -> Array:
    """Return the direction (2,) to the right of a direction (2,)."""
    return np.array([inward[1], -inward[0]])


def find_rows(ends: Array, options: RowOptions) -> list[Row]:
    """Return the rows among stripes (S, 2, 2); a stripe may take part in one row at each end.

    For each direction of stripes and each of its two senses, the line through most lane-side ends is taken first,
    then the next through what is left, and so on (sequential consensus over all pairs of neighbouring ends, no
    random draws).
    """
    rows: list[Row] = []
    for group, inward in _parallel(ends, np.radians(options.angle_deg)):
        for sense in (inward, -inward):
            rows += _rows_along(ends, group, sense, options)
    return rows


def _parallel(ends: Array, tolerance: float) -> list[tuple[Indices, Array]]:
    """Return (stripes, unit direction) of each set of parallel stripes, that of most metres of paint first."""
    span = ends[:, 1] - ends[:, 0]
    length = np.linalg.norm(span, axis=1)
    doubled = np.exp(2j * np.arctan2(span[:, 1], span[:, 0]))
    left = np.ones(len(ends), dtype=bool)
    groups: list[tuple[Indices, Array]] = []
    while left.any():
        near = np.abs(np.angle(doubled[:, None] * doubled.conj())) / 2 < tolerance
        mass = np.where(left, (near & left) @ length, -1.0)
        members = near[int(mass.argmax())] & left
        angle = np.angle((length * doubled)[members].sum()) / 2
        groups.append((np.flatnonzero(members), np.array([np.cos(angle), np.sin(angle)])))
        left &= ~members
    return groups


def _rows_along(ends: Array, group: Indices, inward: Array, options: RowOptions) -> list[Row]:
    a = np.sort(ends[group] @ inward, axis=1)
    c = (ends[group] @ right_of(inward)).mean(axis=1)
    left = np.ones(len(group), dtype=bool)
    rows: list[Row] = []
    while left.sum() >= options.min_stripes:
        picked = _best_line(c, a[:, 0], left, options)
        if len(picked) < options.min_stripes:
            break
        left[picked] = False
        slope, offset = _line(c[picked], a[picked, 0])
        rows.append(Row(inward=inward, front=(offset, slope), stripes=group[picked], c=c[picked], far=a[picked, 1]))
    return rows


def _best_line(c: Array, a: Array, left: NDArray[np.bool_], options: RowOptions) -> Indices:
    """Return the stripes, in order of c, of the longest chain of ends on one line."""
    across = c[None, :] - c[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (a[None, :] - a[:, None]) / across
    low, high = options.spacing
    first, second = np.nonzero(
        (across >= low) & (across <= high) & (np.abs(slope) <= options.max_slope) & left[:, None] & left[None, :]
    )
    best = np.empty(0, dtype=np.int64)
    best_score = 0.0
    for i, j in zip(first.tolist(), second.tolist(), strict=True):
        fits = left & (np.abs(a - a[i] - slope[i, j] * (c - c[i])) < options.tolerance)
        chain = _chain(c, np.flatnonzero(fits), i, options.max_gap)
        if len(chain) > best_score:
            best, best_score = chain, len(chain)
    return _settled(c, a, left, best, options) if len(best) >= 2 else best


def _settled(c: Array, a: Array, left: NDArray[np.bool_], chain: Indices, options: RowOptions) -> Indices:
    """Fit the line to its chain, collect what is on it then, and again: two ends alone aim badly at far ones."""
    for _ in range(3):
        slope, offset = _line(c[chain], a[chain])
        fits = np.flatnonzero(left & (np.abs(a - offset - slope * c) < options.tolerance))
        if not len(fits):
            break
        start = int(fits[np.argmin(np.abs(c[fits] - np.median(c[chain])))])
        chain = _chain(c, fits, start, options.max_gap)
    return chain


def _line(c: Array, a: Array) -> tuple[float, float]:
    """Return (slope, offset) of a robust line a(c), refitted twice without what lies beyond twice the spread."""
    keep = np.ones(len(c), dtype=bool)
    slope, offset = 0.0, float(np.median(a))
    for _ in range(3):
        if np.ptp(c[keep]) > 0.5:
            slope, offset = (float(v) for v in np.polyfit(c[keep], a[keep], 1))
        residual = np.abs(a - offset - slope * c)
        keep = residual <= max(0.03, 2 * float(np.median(residual[keep])))
    return slope, offset


def _chain(c: Array, fits: Indices, start: int, max_gap: float) -> Indices:
    """Return those of ``fits`` that are linked to ``start`` by gaps of at most ``max_gap``, in order of c."""
    order = fits[np.argsort(c[fits], kind="stable")]
    part = np.concatenate([[0], np.cumsum(np.diff(c[order]) > max_gap)])
    return np.asarray(order[part == part[np.flatnonzero(order == start)[0]]] if start in order else order[:0])


def aligned(row: Row, stripes: Array) -> Row:
    """Turn the row's frame into the direction of its own longest stripes, which aim better than the whole group."""
    span = stripes[row.stripes, 1] - stripes[row.stripes, 0]
    span = span * np.sign(span @ row.inward)[:, None]
    total = (span * np.linalg.norm(span, axis=1)[:, None] ** 2).sum(axis=0)
    inward = total / np.linalg.norm(total)
    right = np.array([inward[1], -inward[0]])
    a = np.sort(stripes[row.stripes] @ inward, axis=1)
    c = (stripes[row.stripes] @ right).mean(axis=1)
    slope, offset = row.front[1], 0.0
    near = a[:, 0]
    if np.ptp(c) > 0.5:
        keep = np.abs(near - np.poly1d(np.polyfit(c, near, 1))(c)) <= 0.1
        slope = float(np.polyfit(c[keep], near[keep], 1)[0]) if keep.sum() > 2 else slope
    offset = float(np.median(near - slope * c))
    order = np.argsort(c, kind="stable")
    return Row(inward=inward, front=(offset, slope), stripes=row.stripes[order], c=c[order], far=a[order, 1])


def open_share(row: Row, stripes: Array, open_ends: NDArray[np.bool_]) -> float:
    """Return from 0.5 to 1 how many of the row's stripes end openly at its front, as they do towards a lane."""
    near = (stripes[row.stripes] @ row.inward).argmin(axis=1)
    return 0.5 + 0.5 * float(open_ends[row.stripes, near].mean())
