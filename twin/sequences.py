"""Several photos localized together: of a rig, or of a walk whose steps are known but not where it began.

Every pose that competes for one photo says where all others were taken, since the steps between them are known. How far
the others' own poses agree weighs it: where one photo shows a sign, those beside it are told apart too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import InputError, PoseTable, pose_difference, pose_from_position, position_of
from twin.localizer import Choice

Array = NDArray[np.float64]

FOUND, CHANCE, LOST = 0.6, 0.05, 0.65
"""How often a photo's right pose is among those that compete for it; the least that can be left to none of them; how
much less probable a photo that finds nothing makes the poses of others. That is less than it would alone, as photos
beside each other find nothing together, such as before a wall.
"""
FOUND_M, FOUND_DEG = 0.05, 0.5
"""How far a pose that was found in a photo may be off, one sigma along or about an axis."""
DRIFT_SHARE, DRIFT_DEG = 0.03, 1.0
"""One sigma of what a walk's steps drift: a share of the way between two photos, and degrees for each ten metres."""
FREEDOM = 6


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Where photos were taken relative to each other: cam_from_start of each, None where that is not known.

    drift: 1 for a walk that a phone tracked, 0 for a rig, whose cameras do not move against each other
    sigma_m, sigma_deg: of each pose by itself, beside the drift, along and about each axis; None for exact ones
    """

    cams_from_start: tuple[pycolmap.Rigid3d | None, ...]
    drift: float = 1.0
    sigma_m: tuple[float, ...] | None = None
    sigma_deg: tuple[float, ...] | None = None

    def tolerance(self, i: int, j: int) -> tuple[float, float]:
        """Return one sigma along an axis of how far photo ``j`` is off, as photo ``i`` says, metres and degrees."""
        a, b = self.cams_from_start[i], self.cams_from_start[j]
        assert a is not None
        assert b is not None
        apart = float(np.linalg.norm(position_of(a) - position_of(b)))
        walked = abs(float(self._walked[j] - self._walked[i]))
        own_m = [] if self.sigma_m is None else [self.sigma_m[i], self.sigma_m[j]]
        own_deg = [] if self.sigma_deg is None else [self.sigma_deg[i], self.sigma_deg[j]]
        degrees = np.linalg.norm([FOUND_DEG, FOUND_DEG, *own_deg, self.drift * DRIFT_DEG * walked / 10.0])
        turned_m = apart * np.radians(degrees)  # what a wrong turn at one photo moves the other
        metres = np.linalg.norm([FOUND_M, FOUND_M, *own_m, self.drift * DRIFT_SHARE * walked, turned_m])
        return float(metres), float(degrees)

    @cached_property
    def _walked(self) -> Array:
        """How far along the way each photo is, metres; one whose place is not known is where the one before it is."""
        known = [k for k, pose in enumerate(self.cams_from_start) if pose is not None]
        positions = [position_of(pose) for pose in self.cams_from_start if pose is not None]
        steps = np.zeros(len(self.cams_from_start))
        steps[known[1:]] = np.linalg.norm(np.diff(np.array(positions), axis=0), axis=1)
        return np.cumsum(steps)


def weights(choices: Sequence[Choice | None], steps: Steps) -> list[Array]:
    """Return for each photo how much more probable the others make each of its poses, (C,), 1 for no news.

    A pose is compared with the hypothesis that none of the photo's poses is right. Where another photo's right pose
    was found, that is what of its probability agrees, against what it leaves to none of its own: in a place with
    look-alikes that were not found, which all photos leave much to, agreement is worth little, as the look-alikes
    would agree too. Where it was not found, its poses say nothing. What it leaves to none of its own makes it a little
    more probable that the walk was elsewhere.
    """
    return [
        np.array([_weight(choices, steps, i, k) for k in range(0 if choice is None else len(choice.candidates))])
        for i, choice in enumerate(choices)
    ]


def _weight(choices: Sequence[Choice | None], steps: Steps, i: int, k: int) -> float:
    mine, start = choices[i], steps.cams_from_start[i]
    assert mine is not None
    if start is None:
        return 1.0
    site_from_start = mine.candidates[k].estimate.cam_from_site.inverse() * start
    weight = 1.0
    for j, (other, cam_from_start) in enumerate(zip(choices, steps.cams_from_start, strict=True)):
        if j == i or other is None or cam_from_start is None:
            continue
        expected = cam_from_start * site_from_start.inverse()
        poses = [candidate.estimate.cam_from_site for candidate in other.candidates]
        agrees = agreement(poses, expected, *steps.tolerance(i, j))
        agreeing = float(other.probabilities @ agrees)
        none = max(0.0, 1.0 - float(other.probabilities.sum()))
        found = 1.0 - FOUND + FOUND * agreeing / (CHANCE + (1.0 - CHANCE) * none)
        weight *= none * LOST + (1.0 - none) * found
    return weight


def agreement(poses: Sequence[pycolmap.Rigid3d], expected: pycolmap.Rigid3d, sigma_m: float, sigma_deg: float) -> Array:
    """Return how well poses (N,) agree with one that is expected: 1 as near as right ones are on average.

    That is where the sum of squared sigmas is that of its degrees of freedom.
    """
    centre = position_of(expected)
    metres = np.array([np.linalg.norm(position_of(pose) - centre) for pose in poses]).reshape(-1)
    turns = np.array([np.linalg.norm(pose_difference(pose, expected)[:3]) for pose in poses]).reshape(-1)
    off = np.hypot(metres / sigma_m, np.degrees(turns) / sigma_deg)
    return np.asarray(np.exp(-0.5 * np.maximum(off**2 - FREEDOM, 0.0)))


def steps_of_poses(poses: PoseTable, images: Sequence[str], *, drift: float) -> Steps:
    """Return the steps between images, by their poses in one frame, such as a phone's.

    An image without a row or an orientation has none. Of sigmas that grow along a walk, what they have beyond its
    smallest is its drift, which steps have by the way between them: a pose's own is the smallest of its sequence.

    Raises ``InputError`` where fewer than two have one.
    """
    rows = {name: row for row, name in enumerate(poses.images)}
    found: list[pycolmap.Rigid3d | None] = []
    for name in images:
        row = rows.get(name)
        known = row is not None and np.isfinite(poses.quats_xyzw[row]).all()
        found.append(pose_from_position(poses.positions[row], poses.quats_xyzw[row]) if known else None)
    if sum(pose is not None for pose in found) < 2:
        raise InputError("fewer than two of the images have a pose with an orientation", remedy="Name them alike.")
    sigma_m, sigma_deg = (_own(sigma, poses.sequence) if drift else sigma for sigma in (poses.sigma_m, poses.sigma_deg))
    order = [rows.get(name) for name in images]
    return Steps(
        cams_from_start=tuple(found),
        drift=drift,
        sigma_m=tuple(0.0 if row is None else float(np.nan_to_num(sigma_m[row])) for row in order),
        sigma_deg=tuple(0.0 if row is None else float(np.nan_to_num(sigma_deg[row])) for row in order),
    )


def _own(sigma: Array, sequence: Sequence[str] | None) -> Array:
    """Return the smallest sigma of each one's sequence (N,), NaN where none of it is known."""
    names = np.array(sequence or [""] * len(sigma))
    least = np.full(len(sigma), np.nan)
    for name in np.unique(names):
        least[names == name] = np.fmin.reduce(sigma[names == name])
    return least
