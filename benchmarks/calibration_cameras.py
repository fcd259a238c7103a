"""Every fixed camera of rendered facilities, calibrated against a twin that was walked on another day."""

from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
import shapely
from numpy.typing import NDArray

from benchmarks.protocol import spread
from geometry import (
    FloorPlan,
    InputError,
    inside_ellipsoid,
    pose_error,
    position_covariance,
    position_of,
    project,
    read_cameras_json,
    read_plan,
    transform_points,
    unproject,
)
from perception import read_image
from scenes.captures import CaptureOptions, render_scene
from scenes.library import facility
from twin import MapInputs, MapOptions, Twin, map_images
from twin.calibration.calibrate import Calibrator

Array = NDArray[np.float64]

SURVEY_SEED = 1
USEFUL_M, GRID_M = 25.0, 0.5
SECONDS, FPS = 40.0, 0.1


def measure_cameras(folder: Path, *, known: bool, scenes: str, seeds: str) -> dict[str, Any]:
    """Calibrate the cameras of scenes on several days, with their lens or without, and compare with the truth."""
    rows: list[dict[str, Any]] = []
    for scene in scenes.split(","):
        calibrator = Calibrator(twin_of(folder, scene))
        for seed in map(int, seeds.split(",")):
            capture = capture_of(folder, scene, seed)
            plan = read_plan(capture / "plan.json")
            for true in read_cameras_json(capture / "truth" / "cameras.json"):
                files = sorted((capture / "fixed" / true.id).glob("*.jpg"))
                frames = [read_image(file).pixels for file in files]
                answer = calibrator.calibrate(true.id, frames, true.camera() if known else None)
                row: dict[str, Any] = {"scene": scene, "seed": seed, "camera": true.id, "model": true.model}
                row |= {"status": answer.status, "reason": answer.reason, "seconds": round(answer.seconds, 1)}
                row |= {"method": answer.method, "limits": list(answer.limits)}
                row["evidence"] = {kind: [count.found, count.agree] for kind, count in answer.evidence.items()}
                if answer.status == "ok":
                    assert answer.cam_from_site is not None
                    assert answer.camera is not None
                    assert answer.covariance is not None
                    row |= _errors(answer.camera, answer.cam_from_site, answer.covariance, true, plan)
                rows.append(row)
                print(
                    {key: row.get(key) for key in ("scene", "seed", "camera", "error_m", "ground_m", "reason")},
                    flush=True,
                )
    return {"table": _table(rows, known), "cameras": rows}


def _errors(
    camera: pycolmap.Camera, pose: pycolmap.Rigid3d, covariance: Array, true: Any, plan: FloorPlan
) -> dict[str, Any]:
    metres, degrees = pose_error(pose, true.pose())
    off = position_of(true.pose()) - position_of(pose)
    inside = inside_ellipsoid(off[None], position_covariance(pose, covariance)[None], 0.9)[0]
    ground = ground_errors(camera, pose, true.camera(), true.pose(), plan, true.level)
    return {
        "error_m": metres,
        "error_deg": degrees,
        "inside_90": bool(inside),
        "ground_m": spread(ground),
        "params": camera.params.tolist(),
    }


def ground_errors(
    camera: pycolmap.Camera,
    pose: pycolmap.Rigid3d,
    true_camera: pycolmap.Camera,
    true_pose: pycolmap.Rigid3d,
    plan: FloorPlan,
    level: str,
) -> Array:
    """Return by how much (N,) metres floor points are off that a camera lifts, over a grid of what it shows.

    The useful floor is that of the camera's level within ``USEFUL_M``.
    """
    floor = next(each for each in plan.levels if each.id == level)
    x0, y0, x1, y1 = floor.outline.bounds
    x, y = np.meshgrid(np.arange(x0, x1, GRID_M), np.arange(y0, y1, GRID_M))
    points = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, floor.elevation)])
    centre = position_of(true_pose)
    near = np.linalg.norm(points[:, :2] - centre[:2], axis=1) < USEFUL_M
    points = points[near & shapely.contains_xy(floor.outline, points[:, 0], points[:, 1])]
    pixels, valid = project(true_camera, transform_points(true_pose, points))
    shown = valid & (pixels > 0).all(axis=1) & (pixels < (true_camera.width, true_camera.height)).all(axis=1)
    rays = unproject(camera, pixels[shown]) @ pose.rotation.matrix()
    start = position_of(pose)
    with np.errstate(divide="ignore", invalid="ignore"):
        lifted = start + rays * ((floor.elevation - start[2]) / rays[:, 2])[:, None]
    off = np.linalg.norm(lifted - points[shown], axis=1)
    return np.where(np.isfinite(off) & (rays[:, 2] < 0), off, USEFUL_M)


def _table(rows: list[dict[str, Any]], known: bool) -> list[tuple[object, ...]]:
    found = [row for row in rows if row["status"] == "ok"]
    table: list[tuple[object, ...]] = [("calibrated, of", len(found), len(rows), "")]
    if not found:
        return table
    metres, degrees = ([row[key] for row in found] for key in ("error_m", "error_deg"))
    ground = float(np.median([row["ground_m"]["median"] for row in found]))
    inside = float(np.mean([row["inside_90"] for row in found]))

    def judged(name: str, value: float, low: float, high: float) -> None:
        bound = f"{low:g} to {high:g}" if low > 0 else f"{high:g}"
        table.append((name, f"{value:.4g}", bound, "kept" if low <= value <= high else "missed"))

    if known:
        judged("position m, median", float(np.median(metres)), 0, 0.03)
        judged("rotation deg, median", float(np.median(degrees)), 0, 0.1)
        judged("position m, worst", max(metres), 0, 0.10)
        judged("rotation deg, worst", max(degrees), 0, 0.4)
        judged("ground m, median", ground, 0, 0.05)
    else:
        table.append(("position m, median", f"{np.median(metres):.4g}", "", ""))
        table.append(("rotation deg, median", f"{np.median(degrees):.4g}", "", ""))
        judged("ground m, median", ground, 0, 0.10)
        table.append(("ground m, worst camera", f"{max(row['ground_m']['median'] for row in found):.4g}", "", ""))
    judged("inside the 90 % ellipsoid", inside, 0.80, 0.97)
    table.append(("seconds a camera, median", f"{np.median([row['seconds'] for row in rows]):.1f}", "", ""))
    return table


def twin_of(folder: Path, scene: str) -> Twin:
    """Return the twin of a scene, rendered and mapped where it is missing."""
    target, source = folder / f"{scene}-twin", folder / f"{scene}-survey"
    if not (target / "twin.yaml").exists():
        if not (source / "walk" / "poses.csv").exists():
            render_scene(facility(scene), source, CaptureOptions(captures=("walk",), seed=SURVEY_SEED))
        inputs = MapInputs(
            images=source / "walk",
            cameras=source / "cameras.csv",
            poses=source / "walk" / "poses.csv",
            tags=source / "tags.csv",
            plan=source / "plan.json",
        )
        map_images(inputs, target, MapOptions(parts=("marks", "surface")))
    return Twin.open(target)


def capture_of(folder: Path, scene: str, seed: int) -> Path:
    """Return the folder of what fixed cameras saw on a day, rendered where it is missing."""
    capture = folder / f"{scene}-{seed}"
    if not (capture / "truth" / "qrels.csv").exists():
        if seed == SURVEY_SEED:
            raise InputError(f"seed {seed} is the day of the survey", remedy="Take another.")
        render_scene(facility(scene), capture, CaptureOptions(captures=("fixed",), seed=seed, seconds=SECONDS, fps=FPS))
    return capture
