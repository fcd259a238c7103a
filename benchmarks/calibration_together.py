"""Seven real cameras (WILDTRACK) whose poses were spoilt, adjusted together by the feet of people that they share.

Feet of the first half of the instants adjust; how far apart cameras see a person is judged on the other half. Boxes and
identities are the published annotations, and the published calibration is what poses are compared with.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap

from benchmarks.tracking_wildtrack import CELL_M, CELLS_ACROSS, CORNER_M, FPS, read_cameras
from geometry import FixedCamera, perturb, pose_difference, pose_error
from geometry.camera_network import disagreement
from geometry.track_records import Observation, TrackRow
from twin.calibration.together import adjust_together, shared_feet

SIGMA_DEG, SIGMA_M = 0.3, 0.05
"""By which the poses are spoilt, and what the cameras claim."""
TRIALS = 5
EDGES = ("xmin", "ymin", "xmax", "ymax")


def measure_together(data: Path) -> dict[str, Any]:
    """Return errors of poses and distances between what cameras say of one person, before and after, with honesty."""
    folder = data / "wildtrack"
    true, rows = read_cameras(folder), _rows(folder)
    half = rows[len(rows) // 2].time
    first, second = [r for r in rows if r.time < half], [r for r in rows if r.time >= half]
    covariance = np.diag(np.repeat([np.radians(SIGMA_DEG), SIGMA_M], 3) ** 2)
    rng, trials, nees = np.random.default_rng(0), [], []
    for _ in range(TRIALS):
        off = rng.multivariate_normal(np.zeros(6), covariance, len(true))
        spoilt = [_posed(c, perturb(c.pose(), xi), covariance) for c, xi in zip(true, off, strict=True)]
        found = adjust_together(spoilt, first, since=0.0, calibrated=0.0)
        trial = {"feet": float(found.feet)}
        for name, cameras in (("published", true), ("before", spoilt), ("after", list(found.cameras))):
            feet, _ = shared_feet(cameras, second)
            apart = disagreement([c.camera() for c in cameras], [c.pose() for c in cameras], feet)
            errors = [pose_error(c.pose(), t.pose()) for c, t in zip(cameras, true, strict=True)]
            metres, degrees = np.mean(errors, axis=0).tolist()
            trial |= {f"{name}: apart m": apart, f"{name}: off m": metres, f"{name}: off deg": degrees}
        trials.append(trial)
        for camera, known in zip(found.cameras, true, strict=True):
            xi = pose_difference(known.pose(), camera.pose())
            nees.append(float(xi @ np.linalg.solve(np.array(camera.covariance), xi)) / 6)
    mean = {key: float(np.mean([trial[key] for trial in trials])) for key in trials[0]}
    table = [(name, f"{value:.4g}", "", "") for name, value in mean.items()]
    return {"table": [*table, ("NEES over 6, mean", f"{np.mean(nees):.3g}", "", "")], "trials": trials}


def _posed(camera: FixedCamera, pose: pycolmap.Rigid3d, covariance: Any) -> FixedCamera:
    return FixedCamera.of(camera.id, camera.camera(), pose, level=camera.level, covariance=covariance)


def _rows(folder: Path) -> list[TrackRow]:
    names = [row["name"] for row in json.loads((folder / "calibration.json").read_text())["cameras"]]
    found = []
    for number, file in enumerate(sorted((folder / "annotations_positions").glob("*.json"))):
        time = number / FPS
        for person in json.loads(file.read_text()):
            cell = person["positionID"]
            x, y = CORNER_M[0] + CELL_M * (cell % CELLS_ACROSS), CORNER_M[1] + CELL_M * (cell // CELLS_ACROSS)
            seen = tuple(
                Observation(camera=names[view["viewNum"]], time=time, bbox=tuple(float(view[k]) for k in EDGES))
                for view in person["views"]
                if view["xmax"] > 0
            )
            row = TrackRow(time=time, track=person["personID"], kind="person", position=(x, y, 0.0), observations=seen)
            found.append(row)
    return found
