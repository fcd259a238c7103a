"""What is known of a photo beforehand: roughly where, on which level, looking which way.

A hint weighs the poses that compete for a photo by a likelihood up to 1; that the photo is of none of them keeps
its weight. So a hint can decide between look-alikes, and one that contradicts the photo makes it refused; it never
makes a pose surer than the photo alone would without rivals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray

from geometry import FloorPlan, InputError, PoseTable, locate, nearest_known, pose_from_position, position_of

Array = NDArray[np.float64]

WRONG_LEVEL = 0.01
"""Share of hints that name a wrong level, and of hints of any kind that are mistaken altogether."""
HEADING_SIGMA_DEG = 20.0


@dataclass(frozen=True, kw_only=True)
class Hint:
    """A hint, any part of which may be absent.

    position: (x, y, z) site metres with ``sigma_m`` along each axis
    level: a level's id in the plan
    heading_deg: where the camera looks, clockwise from site +y seen from above, with ``heading_sigma_deg``
    """

    position: tuple[float, float, float] | None = None
    sigma_m: float = 5.0
    level: str | None = None
    heading_deg: float | None = None
    heading_sigma_deg: float = HEADING_SIGMA_DEG

    def __post_init__(self) -> None:
        numbers = [*(self.position or ()), self.heading_deg or 0.0]
        if not np.isfinite(numbers).all():
            raise InputError("a hint's numbers are finite")
        if not (0.0 < self.sigma_m < 1e6 and 0.0 < self.heading_sigma_deg <= 360.0):
            raise InputError("a hint's sigma is above 0", remedy="Give how far off it may be.")

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing."""
        return self.position is None and self.level is None and self.heading_deg is None

    def weights(self, cams_from_site: Sequence[pycolmap.Rigid3d], plan: FloorPlan | None = None) -> Array:
        """Return the likelihood (N,) of each pose, 1 where it is what the hint says.

        The nearest of the poses counts in full also where it is as far off as right ones are on average.

        Raises ``InputError`` for a level that the plan does not have, or without a plan.
        """
        positions = np.array([position_of(pose) for pose in cams_from_site]).reshape(-1, 3)
        weight = np.ones(len(positions))
        if self.position is not None:
            squared = ((positions - self.position) ** 2).sum(axis=1) / self.sigma_m**2
            usual = min(float(squared.min(initial=np.inf)), float(len(self.position)))
            weight *= _mistaken(np.exp(-0.5 * (squared - usual)))
        if self.heading_deg is not None:
            looking = np.array([pose.rotation.matrix()[2] for pose in cams_from_site]).reshape(-1, 3)
            heading = np.degrees(np.arctan2(looking[:, 0], looking[:, 1]))
            off = (heading - self.heading_deg + 180.0) % 360.0 - 180.0
            flat = np.hypot(looking[:, 0], looking[:, 1])
            weight *= np.where(flat > 0.2, _mistaken(np.exp(-0.5 * (off / self.heading_sigma_deg) ** 2)), 1.0)
        if self.level is not None:
            weight *= np.where(levels_of(positions, self.level, plan), 1.0, WRONG_LEVEL)
        return weight


def hints_of_words(images: Sequence[str], near: str | None, level: str | None) -> dict[str, Hint]:
    """Return one hint for all images, from "X,Y,Z,SIGMA" and a level's id. Raises ``InputError`` for other words."""
    if near is None and level is None:
        return {}
    fields: dict[str, Any] = {"level": level}
    if near is not None:
        try:
            x, y, z, sigma = map(float, near.split(","))
        except ValueError:
            raise InputError(f"'{near}' is not X,Y,Z,SIGMA", remedy="Give four numbers, metres in site.") from None
        fields |= {"position": (x, y, z), "sigma_m": sigma}
    return dict.fromkeys(images, Hint(**fields))


def hints_of_poses(poses: PoseTable) -> dict[str, Hint]:
    """Return the hints that poses.csv holds, by image: about where, with ``sigma_m`` or 5 m, and where it looked."""
    found = {}
    for row, image in enumerate(poses.images):
        quat, sigma, turn = poses.quats_xyzw[row], float(poses.sigma_m[row]), float(poses.sigma_deg[row])
        heading = None
        if np.isfinite(quat).all():
            east, north = pose_from_position(poses.positions[row], quat).rotation.matrix()[2, :2]
            heading = float(np.degrees(np.arctan2(east, north)))
        x, y, z = poses.positions[row].tolist()
        found[image] = Hint(
            position=(x, y, z),
            sigma_m=sigma if sigma > 0 else Hint.sigma_m,
            heading_deg=heading,
            heading_sigma_deg=max(turn, HEADING_SIGMA_DEG) if np.isfinite(turn) else HEADING_SIGMA_DEG,
        )
    return found


def levels_of(positions: ArrayLike, level: str, plan: FloorPlan | None) -> NDArray[np.bool_]:
    """Tell which positions (N, 3) are on a level, by its id."""
    if plan is None:
        raise InputError("the twin has no plan, so that it has no levels", remedy="Leave out the level.")
    known = [each.id for each in plan.levels]
    if level not in known:
        raise InputError(f"there is no level '{level}'", remedy=nearest_known(level, known))
    return np.asarray(locate(plan, positions).level == known.index(level))


def weighed(probabilities: Array, weights: Array) -> Array:
    """Return the probabilities (C,) of poses after a hint; the rest, that none is right, is as it was."""
    nothing = max(0.0, 1.0 - float(probabilities.sum()))
    after = probabilities * weights
    return np.asarray(after / max(float(after.sum()) + nothing, 1e-12)) if after.size else after


def _mistaken(likelihood: Array) -> Array:
    return np.asarray(WRONG_LEVEL + (1.0 - WRONG_LEVEL) * likelihood)
