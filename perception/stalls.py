"""Parking stalls from the stripes between them: rows, how they repeat, and what is hidden under parked cars.

Stripes that separate the stalls of a row are parallel, their lane-side ends lie on one line, and they repeat. Where one
is hidden or worn away, the row's rhythm says where it is; where cars hide their inner ends, the other separators of
the row say how deep it is. The rows may be oblique.

All positions are metres in a plane whose x points right and y up, as in site.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError
from perception.stall_rows import Row, RowOptions, find_rows

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
    rows = [_aligned(row, stripes) for row in find_rows(stripes, options.rows)]
    depths = [_depths(row, stripes, open_ends, options) for row in rows]
    usual = [_usual([depth[kind] for depth in depths]) for kind in range(len(options.sizes))]
    openness = [_open_share(row, stripes, open_ends) for row in rows]
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


SEEN, CONFIRMED, INFERRED = 0, 1, 2
SEPARATOR_PROBABILITY = (0.99, 0.92, 0.8)
"""That a separator is within 0.15 m of its place: found as a stripe, confirmed by weaker paint, inferred unseen."""
DEPTH_PROBABILITY = ((0.0, 1.0, 2.0, 4.0), (0.3, 0.6, 0.85, 0.98))
"""That a row's depth is, by the weight of the separators that tell it."""
COMMON_WEIGHT = 2.5
"""Of the depth that rows have in common, against one separator of a row's own."""
TRUSTED = 2.0
"""Rows count for what is common if their separators weigh so much."""
IN_COMMON = 0.75
"""Rows have a depth in common if those that agree hold this share of all weight."""
CUT_WEIGHT = 0.4
"""Of the end of a separator that something hides, against one that ends openly."""
AMBIGUOUS_PROBABILITY, ODD_PROBABILITY = 0.5, 0.8
"""That a stall is whole which is wide enough to hide a separator, and one of unusual width where none is hidden."""
SHIFTS_M = np.array([-0.08, -0.04, 0.0, 0.04, 0.08])
LEAST_PAINT_M = 0.35
"""Where paint of a separator is expected, so much of it confirms it, within these shifts."""
SAME_M = 0.2
"""Separators nearer than this are one."""
USUAL_M = 0.25
"""A width that differs from the row's usual one by more may hide a separator."""


def _aligned(row: Row, stripes: Array) -> Row:
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


def _open_share(row: Row, stripes: Array, open_ends: NDArray[np.bool_]) -> float:
    """Return from 0.5 to 1 how many of the row's stripes end openly at its front, as they do towards a lane."""
    near = (stripes[row.stripes] @ row.inward).argmin(axis=1)
    return 0.5 + 0.5 * float(open_ends[row.stripes, near].mean())


def _stretch(row: Row, options: StallOptions) -> float:
    """Return how much longer a stall's side is than the stall is deep, which is measured square to the row's front."""
    return 1.0 if options.echelon else float(np.hypot(1.0, row.front[1]))


def _depths(row: Row, stripes: Array, open_ends: NDArray[np.bool_], options: StallOptions) -> list[Array]:
    """Return for each kind (N, 2) what the inner ends of separators tell: depths and their weights.

    Where paint ends openly the stall does; where it is cut off, by a car or a wall, it may. Ends that cars cut lie
    anywhere, whereas walls and kerbs cut all alike. Long stripes separate two rows that stand back to back.
    """
    c = stripes @ row.right
    a = stripes @ row.inward
    far = a.argmax(axis=1)
    each = np.arange(len(stripes))
    parallel = np.abs(c[:, 1] - c[:, 0]) < np.sin(np.radians(options.rows.angle_deg)) * np.ptp(a, axis=1) + 0.02
    on_row = np.abs(c.mean(axis=1)[:, None] - row.c).min(axis=1) < SAME_M
    deep = (a[each, far] - row.front_at(c[each, far])) / _stretch(row, options)
    weight = np.where(open_ends[each, far], 1.0, CUT_WEIGHT)
    known = np.column_stack([deep, weight])[parallel & on_row & (deep > 0)]
    depths = []
    for number, size in enumerate(options.sizes):
        low, high = size.depth
        halves = known[(known[:, 0] >= 2 * low) & (known[:, 0] <= 2 * high)] if number == 0 else known[:0]
        single = known[(known[:, 0] >= low) & (known[:, 0] <= high)]
        depths.append(np.concatenate([single, halves * (0.5, 1.0)]))
    return depths


def _mode(values: Array, weights: Array | None = None, window: float = 0.07) -> tuple[float, float]:
    """Return the median of the values within ``window`` of where they weigh most, and their weight; NaN for none."""
    if not len(values):
        return np.nan, 0.0
    weights = np.ones(len(values)) if weights is None else weights
    near = np.abs(values[:, None] - values) <= window
    mass = near @ weights
    members = near[mass.argmax()]
    return float(np.median(values[members])), float(weights[members].sum())


def _usual(depths: Sequence[Array]) -> float:
    """Return the depth that nearly all rows have in common, by the weight they give it; NaN where they differ."""
    told = np.array([_mode(depth[:, 0], depth[:, 1]) for depth in depths]).reshape(-1, 2)
    told = told[told[:, 1] >= TRUSTED]
    depth, weight = _mode(told[:, 0], told[:, 1], 0.12)
    return depth if len(told) > 1 and weight >= IN_COMMON * told[:, 1].sum() else np.nan


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
    depth, support = _mode(told[:, 0], told[:, 1])
    c = _merged(row.c)
    gaps = np.diff(c)
    fitting = gaps[(gaps >= size.width[0]) & (gaps <= size.width[1])]
    if not np.isfinite(depth) or not len(fitting):
        return []
    width = _mode(fitting, window=0.1)[0]
    c = _in_rhythm(c, width)
    c, state = _confirmed(row, c, width, depth, lines, options)
    c, state, ambiguous = _completed(row, c, state, width, depth, size, lines, options)
    left = np.arange(len(c) - 1)
    gap = np.diff(c)
    left = left[(gap >= size.width[0]) & (gap <= size.width[1]) & (np.maximum(state[:-1], state[1:]) >= 0)]
    if kind > 0:
        short = _short(row, c, depth, lines, options)
        left = left[short[left] & short[left + 1]]
    stalls = []
    depth_p = float(np.interp(support, *DEPTH_PROBABILITY))
    for i in left.tolist():
        corners = _corners(row, c[i], c[i + 1], depth, options)
        apron = float(free(_apron(row, c[i], c[i + 1], options)).mean())
        p = depth_p * SEPARATOR_PROBABILITY[state[i]] * SEPARATOR_PROBABILITY[state[i + 1]]
        p *= AMBIGUOUS_PROBABILITY if ambiguous[i] else ODD_PROBABILITY if abs(gap[i] - width) > USUAL_M else 1.0
        if apron >= 0.5:
            hidden = int(state[i] == INFERRED) + int(state[i + 1] == INFERRED)
            score = p * apron * openness
            stalls.append(_Stall(corners=corners, probability=p, score=score, row=number, kind=kind, inferred=hidden))
    own = depths[np.abs(depths[:, 0] - depth) < SAME_M, 1].sum()
    return stalls if own >= 1 or len(stalls) >= options.rows.min_stripes else []


def _merged(c: Array) -> Array:
    """Return the means of what is nearer together than ``SAME_M``."""
    order = np.sort(c)
    part = np.concatenate([[0], np.cumsum(np.diff(order) > SAME_M)])
    return np.asarray(np.bincount(part, order) / np.bincount(part))


def _in_rhythm(c: Array, width: float, tolerance: float = 0.12) -> Array:
    """Drop what lies off the rhythm of both its neighbours where these are in rhythm with each other."""

    def fits(gap: Array) -> NDArray[np.bool_]:
        return np.abs(gap - np.maximum(np.round(gap / width), 1) * width) < tolerance

    if len(c) < 3:
        return c
    gap = np.diff(c)
    off = ~fits(gap[:-1]) & ~fits(gap[1:]) & fits(c[2:] - c[:-2])
    return c[np.concatenate([[True], ~off, [True]])]


def _separators(row: Row, c: Array, start: float, end: float, options: StallOptions) -> Array:
    """Return lines (N, 2, 2) along separators at ``c``, from ``start`` to ``end`` metres of a row's depth."""
    front = row.front_at(c)
    return np.stack([row.points(c, front + d * _stretch(row, options)) for d in (start, end)], axis=1)


def _confirmed(
    row: Row, c: Array, width: float, depth: float, lines: LineEvidence, options: StallOptions
) -> tuple[Array, NDArray[np.int64]]:
    """Add separators a usual width away from known ones where some paint is seen, though too little for a stripe."""
    state = np.full(len(c), SEEN)
    steps = [width, *_bay_gap(c)]
    for _ in range(options.max_missing + 1):
        guesses = np.concatenate([c + sign * step for step in steps for sign in (-1, 1)])
        guesses = _merged(guesses[np.abs(guesses[:, None] - c).min(axis=1) > SAME_M])
        if not len(guesses):
            break
        trial = (guesses[:, None] + SHIFTS_M).ravel()
        strength = np.zeros((len(guesses), len(SHIFTS_M)))
        for end, least in ((min(1.0, depth), 0.6), (0.95 * depth, 0.5)):
            seen, painted = lines(_separators(row, trial, 0.05, end, options))
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
    gap, count = _mode(np.diff(c)[(np.diff(c) > SAME_M + 0.1) & (np.diff(c) < 0.8)])
    return [gap] if count >= 2 else []


def _completed(
    row: Row,
    c: Array,
    state: NDArray[np.int64],
    width: float,
    depth: float,
    size: StallSize,
    lines: LineEvidence,
    options: StallOptions,
) -> tuple[Array, NDArray[np.int64], NDArray[np.bool_]]:
    """Infer hidden separators in gaps of several usual widths; tell which gaps may hide one (N - 1,)."""
    new = [np.empty(0)]
    for low, gap in zip(c[:-1].tolist(), np.diff(c).tolist(), strict=True):
        count = round(gap / width)
        if 2 <= count <= options.max_missing + 1 and abs(gap - count * width) < 0.08 * count + 0.04:
            inner = low + gap / count * np.arange(1, count)
            if not _is_bare(row, inner, depth, lines, options).any():
                new.append(inner)
    extra = np.concatenate(new)
    c, state = np.concatenate([c, extra]), np.concatenate([state, np.full(len(extra), INFERRED)])
    order = np.argsort(c, kind="stable")
    c, state = c[order], state[order]
    gap = np.diff(c)
    odd = (np.abs(gap - width) > USUAL_M) & (gap > width)
    hidden = [lines(_separators(row, at, 0.05, 1.2, options))[0] < 0.6 for at in (c[:-1] + width, c[1:] - width)]
    return c, state, odd & (hidden[0] | hidden[1])


def _is_bare(row: Row, c: Array, depth: float, lines: LineEvidence, options: StallOptions) -> NDArray[np.bool_]:
    """Tell where separators are not, since floor without paint is seen both at the front and nearly all along."""
    bare = np.ones(len(c), dtype=bool)
    for end, least in ((min(1.2, depth), 0.6), (0.95 * depth, 0.8)):
        seen, painted = lines(_separators(row, c, 0.05, end, options))
        bare &= (seen > least) & (painted < 0.3)
    return bare


def _short(row: Row, c: Array, depth: float, lines: LineEvidence, options: StallOptions) -> NDArray[np.bool_]:
    """Tell which separators don't go on beyond ``depth``, as those of deeper stalls would."""
    seen, painted = lines(_separators(row, c, depth + 0.25, depth + 1.2, options))
    return (seen < 0.3) | (painted < 0.4)


def _corners(row: Row, low: float, high: float, depth: float, options: StallOptions) -> Array:
    c = np.array([low, high, high, low])
    front = row.front_at(c)
    if options.echelon:
        # From midway between the ends of both separators to where the one that stands back ends.
        return row.points(c, np.where([1, 1, 0, 0], front.mean(), front.max() + depth * _stretch(row, options)))
    return row.points(c, front + np.array([0, 0, 1, 1]) * depth * _stretch(row, options))


def _apron(row: Row, low: float, high: float, options: StallOptions) -> Array:
    """Return points (N, 2) on the floor in front of a stall."""
    c, d = np.meshgrid(np.linspace(low, high, 7)[1:-1], np.linspace(0.3, options.apron, 6))
    return row.points(c.ravel(), row.front_at(c.ravel()) - d.ravel() * _stretch(row, options))


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
