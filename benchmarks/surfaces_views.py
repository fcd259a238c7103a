"""A surface against the truth of a rendered scene: depth and pictures from poses where nobody took a photo.

Truth is the scene without vehicles and people, in the light of the walk's day. Exposure is matched by one gain and one
offset a picture, on gray values, before pictures are compared by SSIM (Wang et al., TIP 2004; OpenCV's).
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from benchmarks.protocol import spread
from geometry import camera_for, pose_from_position, read_cameras, read_plan, read_true_poses
from scenes.building import build_facility
from scenes.description import read_facility
from scenes.rendering import LightOptions, RenderOptions, World, build_world, render
from twin import Twin
from twin.photos import MapPhoto, photos_of
from twin.surface import Surface, SurfaceOptions, View, build_surface, render_view

FloatArray = NDArray[np.float32]
Pixels = NDArray[np.uint8]

FAR_M = 0.2
AT_EDGE_M = 0.5
POSES = 100


def measure_views(
    scene_folder: Path,
    surface: Surface,
    *,
    poses: int = POSES,
    world: World | None = None,
    pictures: Path | None = None,
) -> dict[str, Any]:
    """Compare a surface in site with the truth at evenly chosen poses of the scene's queries.

    world: of ``static_world``, where it is at hand; pictures: folder for truth and view side by side, of every tenth
    """
    world = world or static_world(scene_folder)
    rules = read_cameras(scene_folder / "cameras.csv")
    truth = read_true_poses(scene_folder / "truth" / "queries.csv")
    chosen = np.unique(np.linspace(0, len(truth) - 1, min(poses, len(truth))).round().astype(int))
    plan = read_plan(scene_folder / "plan.json")
    site = shapely.union_all([level.outline for level in plan.levels]).buffer(AT_EDGE_M)
    rows = []
    for number, index in enumerate(chosen.tolist()):
        camera = camera_for(truth.images[index], rules)
        pose = pose_from_position(truth.positions[index], truth.quats_xyzw[index])
        assert camera is not None
        real = render(world, camera, pose, RenderOptions(samples_per_axis=2))
        started = time.perf_counter()
        view = render_view(surface, camera, pose)
        seconds = time.perf_counter() - started
        x, y, _ = np.moveaxis(real.points_in_site, -1, 0)
        figures = judge_view(view, real.depth, real.image, shapely.contains_xy(site, x, y))
        rows.append({"image": truth.images[index], "seconds": seconds, **figures})
        if pictures is not None and number % 10 == 0:
            _save(pictures / f"{number:03d}.jpg", view, real.image, real.depth)
    return {
        "poses": len(rows),
        "median_depth_error_m": float(np.median([row["depth_error_m"] for row in rows])),
        "within_20cm": float(np.mean([row["within_20cm"] for row in rows])),
        "within_20cm_on_site": float(np.mean([row["within_20cm_on_site"] for row in rows])),
        "covered": float(np.mean([row["covered"] for row in rows])),
        "seen": float(np.mean([row["seen"] for row in rows])),
        "ssim": spread([row["ssim"] for row in rows]),
        "ssim_of_seen": spread([row["ssim_of_seen"] for row in rows]),
        "render_seconds": spread([row["seconds"] for row in rows[1:]]),
        "views": rows,
    }


def judge_view(view: View, true_depth: FloatArray, true_image: Pixels, on_site: NDArray[np.bool_]) -> dict[str, float]:
    """Return the figures of one view; ``on_site`` (H, W) tells which pixels show in truth what is within the plan.

    depth_error_m: median, over pixels where both show something
    within_20cm: share, of pixels that show something in truth or in the view; what only one shows is wrong
    within_20cm_on_site: the same of pixels on site; covered: share of them where the view shows something
    ssim: of all pixels; ssim_of_seen: of pixels whose texel was seen by the map; seen: share of these
    """
    there, ours = np.isfinite(true_depth), np.isfinite(view.depth)
    right = there & ours
    error = np.abs(view.depth[right] - true_depth[right])
    right[right] = error <= FAR_M
    similarity = ssim_map(view.colour, true_image, view.seen)
    return {
        "depth_error_m": float(np.median(error)) if len(error) else float("inf"),
        "within_20cm": float(right.sum() / max(1, (there | ours).sum())),
        "within_20cm_on_site": float(right[on_site].mean()) if on_site.any() else 1.0,
        "covered": float(ours[on_site].mean()) if on_site.any() else 1.0,
        "seen": float(view.seen.mean()),
        "ssim": float(similarity.mean()),
        "ssim_of_seen": float(similarity[view.seen].mean()) if view.seen.any() else 0.0,
    }


def ssim_map(picture: Pixels, truth: Pixels, fit_on: NDArray[np.bool_]) -> FloatArray:
    """Return the SSIM (H, W) of gray pictures after one gain and one offset, fitted where ``fit_on`` (H, W)."""
    gray, real = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(np.float64) for each in (picture, truth))
    gain, offset = (1.0, 0.0) if fit_on.sum() < 100 else np.polyfit(gray[fit_on], real[fit_on], 1)
    matched = np.clip(gain * gray + offset, 0, 255).astype(np.uint8)
    judge = cv2.quality.QualitySSIM_create(real.astype(np.uint8))  # type: ignore[attr-defined]
    judge.compute(matched)
    return np.asarray(judge.getQualityMap(), dtype=np.float32)


def static_world(scene_folder: Path) -> World:
    """Build a rendered scene without vehicles and people, as lit on the day of the walk."""
    building = build_facility(read_facility(scene_folder / "scene.yaml"))
    return build_world(building.shapes, (), building.lighting, LightOptions())


def true_photos(scene_folder: Path) -> list[MapPhoto]:
    """Return the photos of a scene's walk at their true poses."""
    rules = read_cameras(scene_folder / "cameras.csv")
    truth = read_true_poses(scene_folder / "truth" / "walk.csv")
    cameras = [camera_for(name, rules) for name in truth.images]
    return [
        MapPhoto(
            name=name,
            path=scene_folder / "walk" / name,
            camera=camera,
            cam_from_site=pose_from_position(position, quat),
        )
        for name, camera, position, quat in zip(truth.images, cameras, truth.positions, truth.quats_xyzw, strict=True)
        if camera is not None and (scene_folder / "walk" / name).exists()
    ]


def build_for(scene_folder: Path, twin_folder: Path | None, options: SurfaceOptions | None = None) -> Surface:
    """Build the surface of a scene: from a twin's map, or from true poses without landmarks."""
    if twin_folder is None:
        return build_surface(read_plan(scene_folder / "plan.json"), None, true_photos(scene_folder), options)
    twin = Twin.open(twin_folder)
    return build_surface(twin.plan, twin.landmarks, photos_of(twin.reconstruction, scene_folder / "walk"), options)


def _save(path: Path, view: View, real: Pixels, depth: FloatArray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    there, ours = np.isfinite(depth), np.isfinite(view.depth)
    wrong = there != ours
    wrong[there & ours] = np.abs(view.depth[there & ours] - depth[there & ours]) > FAR_M
    marked = np.where(wrong[..., None], np.array([255, 0, 0], np.uint8), view.colour)
    unseen = (view.colour * np.where(view.seen, 1.0, 0.4)[..., None]).astype(np.uint8)
    sheet = np.vstack([np.hstack([real, view.colour]), np.hstack([marked, unseen])])
    cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])


def main(arguments: Sequence[str] | None = None) -> None:
    """Build, measure and print: ``python -m benchmarks.surfaces_views SCENE [--twin TWIN] [--pictures DIR]``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("scene", type=Path)
    parser.add_argument("--twin", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--poses", type=int, default=POSES)
    given = parser.parse_args(arguments)
    started = time.perf_counter()
    surface = build_for(given.scene, given.twin)
    built = time.perf_counter() - started
    found = measure_views(given.scene, surface, poses=given.poses, pictures=given.pictures)
    found = {"build_seconds": built, "triangles": len(surface.mesh.triangles), "texels": surface.seen.size} | found
    print(json.dumps({key: value for key, value in found.items() if key != "views"}, indent=2))


if __name__ == "__main__":
    main()
