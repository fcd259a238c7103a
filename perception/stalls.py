"""Parking stalls from the stripes between them: rows, how they repeat, and what is hidden under parked cars.

Stripes that separate the stalls of a row are parallel, their lane-side ends lie on one line, and they repeat. Where one
is hidden or worn away, the row's rhythm says where it is; where cars hide their inner ends, the other separators of
the row say how deep it is. The rows may be oblique.

All positions are metres in a plane whose x points right and y up, as in site.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError
from perception.stall_depths import COMMON_WEIGHT, common_depth, depths_told, mode, stretch
from perception.stall_options import AreaEvidence, LineEvidence, StallOptions
from perception.stall_rows import SAME_M, Row, aligned, find_rows, open_share
from perception.stall_separators import INFERRED, USUAL_M, completed, confirmed, end_at, in_rhythm, merged, usual_widths

Array = NDArray[np.float64]

SEPARATOR_PROBABILITY = (0.99, 0.92, 0.8)
"""That a separator is within 0.15 m of its place: found as a stripe, confirmed by weaker paint, inferred unseen."""
DEPTH_PROBABILITY = ((0.0, 1.0, 2.0, 4.0), (0.3, 0.6, 0.85, 0.98))
"""That a row's depth is, by the weight of the separators that tell it."""
AMBIGUOUS_PROBABILITY, ODD_PROBABILITY = 0.5, 0.8
"""That a stall is whole which is wide enough to hide a separator, and one of unusual width where none is hidden."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StallProposals:
    """Stalls, each with the lane-side edge first and its ring going on counter-clockwise.

    corners: (N, 4, 2) metres; probability: (N,) that all corners are within 0.15 m; row: (N,) index of its row
    kind: N words of ``StallOptions.sizes``; inferred: (N,) how many of its two separators were not seen
    """

    corners: Array
    probability: Array
    row: NDArray[np.int64]
    kind: tuple[str, ...]
    inferred: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of stalls."""
        return len(self.corners)


def propose_stalls(
    ends: ArrayLike,
    open_ends: NDArray[np.bool_],
    lines: LineEvidence,
    free: AreaEvidence,
    options: StallOptions | None = None,
) -> StallProposals:
    """Propose the stalls between stripes ``ends`` (S, 2, 2), of which ``open_ends`` (S, 2) are real ends of paint.

    Of two proposals that overlap, the likelier one stays. Nothing is proposed where the floor in front isn't free, or
    where a separator should be seen and isn't. Raises ``InputError`` for shapes that don't fit and numbers that
    aren't finite.
    """
    options = options or StallOptions()
    stripes = np.asarray(ends, dtype=np.float64).reshape(-1, 2, 2)
    if not np.isfinite(stripes).all() or np.shape(open_ends) != stripes.shape[:2]:
        raise InputError("stripes must be finite (S, 2, 2) with (S, 2) marks of open ends")
    rows = [aligned(row, stripes) for row in find_rows(stripes, options.rows)]
    depths = [depths_told(row, stripes, open_ends, options) for row in rows]
    usual = [common_depth([depth[kind] for depth in depths]) for kind in range(len(options.sizes))]
    openness = [open_share(row, stripes, open_ends) for row in rows]
    found: list[_Stall] = []
    for number, (row, depth) in enumerate(zip(rows, depths, strict=True)):
        for kind in range(len(options.sizes)):
            found += _stalls_of(row, number, kind, depth[kind], usual[kind], openness[number], lines, free, options)
    return _collected(_without_overlap(found), options)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Stall:
    corners: Array
    probability: float
    score: float
    row: int
    kind: int
    inferred: int


def _stalls_of(
    row: Row,
    number: int,
    kind: int,
    depths: Array,
    usual: float,
    openness: float,
    lines: LineEvidence,
    free: AreaEvidence,
    options: StallOptions,
) -> list[_Stall]:
    size = options.sizes[kind]
    told = np.vstack([depths, (usual, COMMON_WEIGHT)]) if np.isfinite(usual) else depths
    depth, support = mode(told[:, 0], told[:, 1])
    c = merged(row.c)
    gaps = np.diff(c)
    fitting = gaps[(gaps >= size.width[0]) & (gaps <= size.width[1])]
    if not np.isfinite(depth) or not len(fitting):
        return []
    widths = usual_widths(fitting)
    c = in_rhythm(c, widths)
    c, state = confirmed(row, c, widths, depth, lines, options)
    c, state, ambiguous = completed(row, c, state, widths, depth, size, lines, options)
    left = np.arange(len(c) - 1)
    gap = np.diff(c)
    left = left[(gap >= size.width[0]) & (gap <= size.width[1]) & (np.maximum(state[:-1], state[1:]) >= 0)]
    if kind > 0:
        short = end_at(row, c, depth, lines, options)
        left = left[short[left] & short[left + 1]]
    stalls = []
    depth_p = float(np.interp(support, *DEPTH_PROBABILITY))
    for i in left.tolist():
        corners = _corners(row, c[i], c[i + 1], depth, options)
        apron = float(free(_apron(row, c[i], c[i + 1], options)).mean())
        p = depth_p * SEPARATOR_PROBABILITY[state[i]] * SEPARATOR_PROBABILITY[state[i + 1]]
        unusual = np.abs(gap[i] - widths).min() > USUAL_M
        p *= AMBIGUOUS_PROBABILITY if ambiguous[i] else ODD_PROBABILITY if unusual else 1.0
        if apron >= 0.5:
            hidden = int(state[i] == INFERRED) + int(state[i + 1] == INFERRED)
            score = p * apron * openness
            stalls.append(_Stall(corners=corners, probability=p, score=score, row=number, kind=kind, inferred=hidden))
    own = depths[np.abs(depths[:, 0] - depth) < SAME_M, 1].sum()
    return stalls if own >= 1 or len(stalls) >= options.rows.min_stripes else []


def _corners(row: Row, low: float, high: float, depth: float, options: StallOptions) -> Array:
    c = np.array([low, high, high, low])
    front = row.front_at(c)
    if options.echelon:
        # From midway between the ends of both separators to where the one that stands back ends.
        return row.points(c, np.where([1, 1, 0, 0], front.mean(), front.max() + depth * stretch(row, options)))
    return row.points(c, front + np.array([0, 0, 1, 1]) * depth * stretch(row, options))


def _apron(row: Row, low: float, high: float, options: StallOptions) -> Array:
    """Return points (N, 2) on the floor in front of a stall."""
    c, d = np.meshgrid(np.linspace(low, high, 7)[1:-1], np.linspace(0.3, options.apron, 6))
    return row.points(c.ravel(), row.front_at(c.ravel()) - d.ravel() * stretch(row, options))


def _without_overlap(stalls: list[_Stall], share: float = 0.1) -> list[_Stall]:
    """Keep the best of what overlaps by more than ``share`` of the smaller one; rows of many stalls come first."""
    size = {row: sum(s.score for s in stalls if s.row == row) for row in {s.row for s in stalls}}
    order = sorted(range(len(stalls)), key=lambda i: (-stalls[i].score * size[stalls[i].row], i))
    shapes = shapely.polygons([stall.corners for stall in stalls]) if stalls else np.empty(0, dtype=object)
    area = shapely.area(shapes)
    kept: list[int] = []
    for i in order:
        shared = shapely.area(shapely.intersection(shapes[kept], shapes[i]))
        if not (shared > share * np.minimum(area[kept], area[i])).any():
            kept.append(i)
    return [stalls[i] for i in sorted(kept)]


def _collected(stalls: list[_Stall], options: StallOptions) -> StallProposals:
    rows = {row: index for index, row in enumerate(dict.fromkeys(stall.row for stall in stalls))}
    return StallProposals(
        corners=np.array([stall.corners for stall in stalls]).reshape(-1, 4, 2),
        probability=np.array([stall.probability for stall in stalls]),
        row=np.array([rows[stall.row] for stall in stalls], dtype=np.int64),
        kind=tuple(options.sizes[stall.kind].kind for stall in stalls),
        inferred=np.array([stall.inferred for stall in stalls], dtype=np.int64),
    )
