"""Photos of known pose asked of a twin, with all that was found: what localization and its confidence are judged by."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import locate, pose_error, pose_from_position, position_of, read_cameras
from geometry.interchange import QUERY_COLUMNS
from geometry.tables import read_table
from perception import Features, read_image
from twin import Localization, Twin
from twin.localizer import Choice, Localizer
from twin.queries import query_camera

Array = NDArray[np.float64]

RIGHT_M, RIGHT_DEG, WRONG_M = 0.25, 2.0, 1.0
SEEN, EVIDENCE_PX = 0.3, 400
PLACE_M, PLACE_DEG = 1.0, 10.0
"""What counts as the right place when poses compete."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A photo, what is true of it, what was answered, and the poses that competed (None where there were none).

    seconds: of one core; clock_s: by the clock, reading the file included
    """

    image: str
    features: Features
    true: pycolmap.Rigid3d
    level: str
    seen_fraction: float
    evidence_px: int
    answer: Localization
    choice: Choice | None
    confidence: float
    seconds: float
    clock_s: float

    @property
    def right(self) -> bool:
        """Whether the best pose, answered or not, is within ``RIGHT_M`` and ``RIGHT_DEG``."""
        return self.choice is not None and is_within(self.best, self.true, RIGHT_M, RIGHT_DEG)

    @property
    def best(self) -> pycolmap.Rigid3d:
        """The best pose, answered or not."""
        assert self.choice is not None
        return self.choice.best.estimate.cam_from_site

    @property
    def answered(self) -> bool:
        """Whether it was localized."""
        return self.answer.status == "ok"


def strata_of(seen_fraction: Array, evidence_px: Array) -> dict[str, NDArray[np.bool_]]:
    """Return which of N photos count where: by how much of what they show the walk saw, and how much tells levels."""
    clear = seen_fraction >= SEEN
    return {
        "all": np.ones(len(clear), dtype=bool),
        "seen, told apart": clear & (evidence_px >= EVIDENCE_PX),
        "seen, hardly told apart": clear & (evidence_px > 0) & (evidence_px < EVIDENCE_PX),
        "seen, not told apart": clear & (evidence_px == 0),
    }


def is_within(pose: pycolmap.Rigid3d, true: pycolmap.Rigid3d, metres: float, degrees: float) -> bool:
    """Tell whether a pose is so near the true one."""
    off_m, off_deg = pose_error(pose, true)
    return off_m <= metres and off_deg <= degrees


def ask(scene: Path, twin: Twin, localizer: Localizer) -> Iterator[Asked]:
    """Localize the queries of a rendered scene, of which those count that the renderer finished."""
    table = read_table(scene / "truth" / "queries.csv", QUERY_COLUMNS)
    rules, extractor = read_cameras(scene / "cameras.csv"), twin.extractor()
    positions, quats = table.numbers("x", "y", "z"), table.numbers("qx", "qy", "qz", "qw")
    seen, evidence = table.numbers("seen_fraction"), table.numbers("level_evidence_px")
    for row, (image, level) in enumerate(zip(table.text("image"), table.text("level"), strict=True)):
        path, begun = scene / "queries" / image, time.perf_counter()
        picture = read_image(path, name=image)
        started = time.process_time()
        features = extractor.extract(picture.gray)
        answer, choice = localizer.localize_with_choice(
            image, features, query_camera(twin, image, path, rules), picture
        )
        seconds, clock_s = time.process_time() - started, time.perf_counter() - begun
        yield Asked(
            image=image,
            features=features,
            true=pose_from_position(positions[row], quats[row]),
            level=level,
            seen_fraction=float(seen[row]),
            evidence_px=int(evidence[row]),
            answer=answer,
            choice=choice,
            confidence=0.0 if choice is None else localizer.confidence(choice),
            seconds=seconds,
            clock_s=clock_s,
        )


def storeys_of(twin: Twin, poses: list[pycolmap.Rigid3d]) -> list[str]:
    """Return the level that each pose is on by the plan, empty where on none."""
    if twin.plan is None or not poses:
        return [""] * len(poses)
    levels = locate(twin.plan, np.array([position_of(pose) for pose in poses])).level
    return [twin.plan.levels[index].id if index >= 0 else "" for index in levels.tolist()]
