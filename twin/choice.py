"""Which of several poses a photo was taken from, if any: how much speaks for each, and how probable it is.

A conditional logit (McFadden 1974): poses compete by the evidence that each has, against each other, against the photo
being from nowhere in the twin, and, where the map's own photos were found to fit elsewhere too, against a look-alike
that was not found, on a level where none was. Evidence beyond ``ENOUGH`` says that the place looks so, and little more
of which look-alike it is. The weights were fitted to rendered photos, strangers among them: docs/decisions/0012 tells
how, and what ``python -m benchmarks.confidence`` gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.hypotheses import Candidate
from twin.textures.matching import FOUND_SHARES

Array = NDArray[np.float64]

WEIGHTS = np.array([0.88, 1.80, 0.27, 0.57, -1.38, 3.88])
MOST_TEXTURED = 20.0
"""Of the log-odds of textures: more says no more."""
ENOUGH, BEYOND = 3.0, 0.68
WRITTEN = 0.26
"""Of the log-odds that tags and signs give: readings of one photo err together."""
NAMED = 1.43
"""The same of what names a level."""
COPY = 0.45
"""Odds of another building after the same plan, with surfaces of its own, before textures are looked for."""
FEW = 16.0
"""Patches looked for at which such a building is half as likely beforehand: few tell little, none nothing."""
COPY_SHARES = ((1.76, 1.28), (1.72, 29.4))
"""As ``FOUND_SHARES``, but poses in such a building are right ones: joints and edges are where they are here. Fitted to
214 photos of two development garages in each other's twins."""
LEVELS_DIFFER = 0.1
"""Of how much more plausible the pose on one level is than its copies on others, if textures verify both."""
SELDOM_ALIKE, OFTEN_ALIKE = 0.25, 0.5
"""Look-alikes a place in a map: storeys are no copies of each other; they are. In between it counts in part."""
MISSED, LEAST_ALIKE = 0.06, 0.02
"""Of rarer look-alikes, share that the search misses, as it missed 11 of 191 right poses of the development garage; and
how many there are at least."""


def traits(candidate: Candidate, usual_noise: float, shares: ArrayLike = FOUND_SHARES) -> Array:
    """Return what speaks for a pose (6,): 1, how many matches agree, over how much of the photo, how much of what the
    pose should show is there, how badly it all fits against what is usual in the map, and what its textures say.

    shares: of textures that are found, see ``TextureSupport.log_odds``
    """
    return np.array(
        [
            1.0,
            np.log(max(candidate.support, 1) / 10.0),
            candidate.spread / 10.0,
            np.log((candidate.explained + 2.0) / (candidate.expected + 50.0)),
            np.log(max(candidate.estimate.noise_scale, 0.3) / usual_noise),
            min(candidate.textured.log_odds(shares), MOST_TEXTURED) / 10.0,
        ]
    )


def plausibility(candidates: Sequence[Candidate], usual_noise: float) -> Array:
    """Return the log-odds (C,), natural, of each pose by itself against the photo being from nowhere in the twin."""
    odds = np.array([traits(candidate, usual_noise) @ WEIGHTS for candidate in candidates])
    return np.where(odds < ENOUGH, odds, ENOUGH + BEYOND * (odds - ENOUGH))


def copied(candidates: Sequence[Candidate]) -> Array:
    """Return the log-odds (C,), natural, of a pose's place in another building after the same plan against this one.

    Signs, bands and columns are the same there, the wear of floors, ceilings and walls is not. Minus infinity where no
    texture was looked for: nothing tells such buildings apart then, and none is supposed.
    """
    looked_for = np.array([each.textured.looked_for for each in candidates])
    with np.errstate(divide="ignore"):
        beforehand = np.log(COPY * looked_for / (looked_for + FEW))
    return np.asarray(beforehand - [each.textured.log_odds(COPY_SHARES) for each in candidates])


@dataclass(frozen=True, kw_only=True, eq=False)
class Levels:
    """Levels that poses are on.

    level: (C,) index of each pose's, -1 for none
    log_odds: (K,) natural, how much less what is written speaks for each level than for the likeliest; 0 where not read
    shown: (C, K) the same of what the photo shows at telltales, where each pose has them; 0 where there are none
    copies: (C, C) which poses are at the same place of some level, each of its own too
    verified: (C,) poses whose textures are where they should be
    """

    level: NDArray[np.int64]
    log_odds: Array
    shown: Array
    copies: NDArray[np.bool_]
    verified: NDArray[np.bool_]

    def of_poses(self) -> Array:
        """Return what both say of each pose's level (C,), 0 for a pose that is on none."""
        rows = np.arange(len(self.level))
        return np.where(self.level >= 0, self.log_odds[self.level] + self.shown[rows, self.level], 0.0)

    def of_look_alikes(self, pose: int) -> Array:
        """Return what both say of each level (K,) that a look-alike of a pose may be on."""
        return np.asarray(self.log_odds + self.shown[pose])


def probabilities(
    plausible: ArrayLike,
    written: ArrayLike,
    alike: float | None,
    levels: Levels | None = None,
    shared: ArrayLike | None = None,
    weight: float = WRITTEN,
    named: float = NAMED,
    copies: ArrayLike | None = None,
) -> Array:
    """Return the probability (C,) of each pose; what is missing to 1 is that of none of them.

    plausible, written: (C,) natural log-odds, of ``plausibility`` and of what is written in the photo, 0 where not read
    alike: how many look-alikes of a place in the map there are on average; None counts as few
    levels: what names a level counts there beside ``written``: once for the place, once for the level
    shared: (C,) the part of ``written`` that a look-alike on another level would have too, None for all of it
    weight, named: of what is written, and of what names a level
    copies: (C,) log-odds of ``copied``; None where there are no such buildings
    """
    by_look, told = np.asarray(plausible, dtype=np.float64), np.asarray(written, dtype=np.float64)
    often = float(np.interp(alike or 0.0, [SELDOM_ALIKE, OFTEN_ALIKE], [0.0, 1.0]))
    # Rare look-alikes are found as right poses are, and then compete by themselves.
    unseen = (alike or 0.0) * (MISSED + often * (1.0 - MISSED))
    if levels is not None:
        levels = replace(levels, log_odds=named * levels.log_odds)
        by_look = by_look + often * (_of_one_place(by_look, levels) - by_look)
    odds = by_look + weight * told
    if levels is not None and len(levels.log_odds) > 1:
        odds = odds + levels.of_poses()
        unseen = _unseen(by_look, levels, unseen)
    best = int(by_look.argmax())
    # What speaks for the best one speaks for its look-alikes too; what speaks against it leaves other places alone.
    same = weight * max(0.0, float((told if shared is None else np.asarray(shared, dtype=np.float64))[best]))
    nowhere, elsewhere = 0.0, by_look[best] + same + np.log(max(unseen, LEAST_ALIKE))
    in_copies = [] if copies is None else [*(odds + np.asarray(copies, dtype=np.float64))]
    return np.exp(odds - np.logaddexp.reduce([*odds, *in_copies, nowhere, elsewhere]))


def _of_one_place(by_look: Array, levels: Levels) -> Array:
    """Return plausibilities (C,) of which verified copies of the best verified pose have its own, but for a little.

    They are one place for sure; what else differs is mostly how well the map shows each level.
    """
    if not levels.verified.any():
        return by_look
    best = int(np.where(levels.verified, by_look, -np.inf).argmax())
    shared = by_look[best] - LEVELS_DIFFER * (by_look[best] - by_look)
    return np.where(levels.verified & levels.copies[best], shared, by_look)


def _unseen(by_look: Array, levels: Levels, alike: float) -> float:
    """Return how probable look-alikes that were not found are, as a multiple of the best pose by look.

    Each level but that pose's has its share of them, less what was found there; what is written or shown counts. A copy
    that was found there and fits worse does not rule out a better one: a map shows some levels better than others.
    """
    count, best = len(levels.log_odds), int(by_look.argmax())
    left = np.full(count, alike / (count - 1))
    on_one = levels.level >= 0
    np.subtract.at(left, levels.level[on_one], np.exp(by_look[on_one] - by_look[best]))
    # A verified copy is that level's pose at this place, and no better one is left to find.
    left[levels.level[on_one & levels.verified & levels.copies[best]]] = 0.0
    if levels.level[best] >= 0:
        left[levels.level[best]] = 0.0
    return float(np.maximum(left, 0.0) @ np.exp(levels.of_look_alikes(best)))
