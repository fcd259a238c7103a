"""Several photos localized together: of a rig, or of a walk whose steps are known but not where it began.

Every pose that competes for one photo says where all others were taken, since the steps between them are known. How far
the others' own poses agree weighs it: where one photo shows a sign, those beside it are told apart too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import InputError, PoseTable, is_drift, pose_difference, pose_from_position, position_of, way_walked
from twin.localizer import Choice

Array = NDArray[np.float64]

FOUND, CHANCE = 0.6, 0.05
"""How often a photo's right pose is among those that compete for it; the least that can be left to none of them."""
LOST, MOST_LOST = 0.65, 3.0
"""How much less probable a photo whose poses are all improbable makes those of others, and how many such count: photos
beside each other show too little together, such as before a wall."""
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
    walked: how far along the way each was taken, metres; None where that is not known: by straight lines then
    sequence: which recording each is of; between two of them no steps are known; None for one
    """

    cams_from_start: tuple[pycolmap.Rigid3d | None, ...]
    drift: float = 1.0
    sigma_m: tuple[float, ...] | None = None
    sigma_deg: tuple[float, ...] | None = None
    walked: tuple[float, ...] | None = None
    sequence: tuple[str, ...] | None = None

    def tolerance(self, i: int, j: int) -> tuple[float, float]:
        """Return one sigma along an axis of how far photo ``j`` is off, as photo ``i`` says, metres and degrees."""
        a, b = self.cams_from_start[i], self.cams_from_start[j]
        assert a is not None
        assert b is not None
        apart = float(np.linalg.norm(position_of(a) - position_of(b)))
        walked = apart if self.walked is None else max(apart, abs(self.walked[j] - self.walked[i]))
        own_m = [] if self.sigma_m is None else [self.sigma_m[i], self.sigma_m[j]]
        own_deg = [] if self.sigma_deg is None else [self.sigma_deg[i], self.sigma_deg[j]]
        degrees = np.linalg.norm([FOUND_DEG, FOUND_DEG, *own_deg, self.drift * DRIFT_DEG * walked / 10.0])
        turned_m = apart * np.radians(degrees)  # what a wrong turn at one photo moves the other
        metres = np.linalg.norm([FOUND_M, FOUND_M, *own_m, self.drift * DRIFT_SHARE * walked, turned_m])
        return float(metres), float(degrees)

    def is_known(self, i: int, j: int) -> bool:
        """Whether two photos are of one recording."""
        return self.sequence is None or self.sequence[i] == self.sequence[j]


def weights(choices: Sequence[Choice | None], steps: Steps) -> list[Array]:
    """Return for each photo how much more probable the others make each of its poses, (C,), 1 for no news.

    A pose is compared with the hypothesis that none of the photo's poses is right. Where another photo's right pose
    was found, that is what of its probability agrees, against what it leaves to none of its own: in a place with
    look-alikes that were not found, which all photos leave much to, agreement is worth little, as the look-alikes
    would agree too. Where it was not found, its poses say nothing: what a photo leaves to none makes it a little more
    probable that the walk is elsewhere, up to a bound. A photo without any pose says nothing.
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
    log_weight, lost = 0.0, 0.0
    for j, (other, cam_from_start) in enumerate(zip(choices, steps.cams_from_start, strict=True)):
        if j == i or other is None or cam_from_start is None or not steps.is_known(i, j):
            continue
        expected = cam_from_start * site_from_start.inverse()
        poses = [candidate.estimate.cam_from_site for candidate in other.candidates]
        agrees = agreement(poses, expected, *steps.tolerance(i, j))
        none = max(0.0, 1.0 - float(other.probabilities.sum()))
        found = 1.0 - FOUND + FOUND * float(other.probabilities @ agrees) / (CHANCE + (1.0 - CHANCE) * none)
        log_weight += (1.0 - none) * np.log(found)
        lost += none * (1.0 - agrees.max(initial=0.0))
    return float(np.exp(log_weight + np.log(LOST) * min(lost, MOST_LOST)))


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

    An image without a row or an orientation has none. Where the sigmas of a walk grow, it drifts: each pose's own is
    that at the beginning, as what they have beyond it shifts all photos alike, and steps drift by the way between them.

    Raises ``InputError`` where fewer than two have one.
    """
    rows = {name: row for row, name in enumerate(poses.images)}
    order = [rows.get(name) for name in images]
    found: list[pycolmap.Rigid3d | None] = []
    for row in order:
        known = row is not None and np.isfinite([*poses.positions[row], *poses.quats_xyzw[row]]).all()
        found.append(pose_from_position(poses.positions[row], poses.quats_xyzw[row]) if known else None)
    if sum(pose is not None for pose in found) < 2:
        raise InputError("fewer than two of the images have a pose with an orientation", remedy="Name them alike.")
    sigma_m, sigma_deg, walked = poses.sigma_m.copy(), poses.sigma_deg.copy(), np.zeros(len(poses))
    for walk in poses.walks() if drift else ():
        walked[walk] = way_walked(poses.positions[walk])
        told = walk[np.isfinite(poses.sigma_m[walk])]
        if is_drift(poses.sigma_m[told]):
            sigma_m[walk], sigma_deg[walk] = poses.sigma_m[told[0]], poses.sigma_deg[told[0]]

    def of_images(values: Array) -> tuple[float, ...]:
        return tuple(0.0 if row is None else float(np.nan_to_num(values[row])) for row in order)

    sequence = None
    if drift and poses.sequence is not None:
        sequence = tuple("" if row is None else poses.sequence[row] for row in order)
    return Steps(
        cams_from_start=tuple(found),
        drift=drift,
        sigma_m=of_images(sigma_m),
        sigma_deg=of_images(sigma_deg),
        walked=of_images(walked) if drift else None,
        sequence=sequence,
    )
