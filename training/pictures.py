"""Pictures to train on: rendered facilities at many moments, seen by cameras of many kinds, with what is in them.

    python -m training.pictures --out PICTURES --seeds 1000 1012 --scenes garage,lot --views 40

Each world is a facility of a seed at one moment of its traffic under a light of its own. Pictures are drafts, with the
noise of cheap cameras. ``labels.jsonl`` has a line a picture; a rerun adds the worlds that are missing. Seeds 101 to
103 are what the networks are judged on and are refused.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
import shapely
from numpy.typing import NDArray

from geometry import write_atomic
from geometry.cameras import camera_from_params
from geometry.records import FixedCamera
from scenes.building import build_facility
from scenes.captures.boxes import Box
from scenes.captures.day import OTHER_DAY, Day, draw_day, shapes_of
from scenes.captures.mounting import mounted_cameras
from scenes.captures.recording import CHEAP_CAMERA
from scenes.captures.views import look
from scenes.captures.visibility import CameraView, building_raycaster
from scenes.library import facility as library_facility
from scenes.noise import add_noise, encode_jpeg
from scenes.plan import floor_plan
from scenes.rendering import DRAFT, DRAFT_LIGHT, RenderOptions, build_world, render
from scenes.traffic import instances_at, simulate
from training.labels import label_of, require_other_seed, write_labels
from training.stall_labels import stall_labels

Array = NDArray[np.float64]

SECONDS = 24.0
LEAST_BOXES = 2
CLEAR_M = 2.8
"""A camera this far from the middle of every vehicle is inside none."""
MAX_DRAWS = 40


def main() -> None:
    """Render what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs=2, required=True, metavar=("FIRST", "BEYOND"))
    parser.add_argument("--scenes", default="garage,lot")
    parser.add_argument("--views", type=int, default=40)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for seed in range(*arguments.seeds):
        for name in arguments.scenes.split(","):
            part = arguments.out / f"{name}-{seed}.jsonl"
            if not part.exists():
                write_labels(part, render_world(name, seed, arguments.views, arguments.out))


def render_world(name: str, seed: int, views: int, out: Path) -> Iterator[dict[str, Any]]:
    """Render one world and yield a line of labels for each picture."""
    require_other_seed(seed)
    rng = np.random.default_rng([seed, len(name)])
    place = library_facility(name, seed=seed)
    traffic = place.traffic.model_copy(
        update={"vehicles": 40, "people": 45, "parked": float(rng.uniform(0.35, 0.8)), "look_alikes": 6}
    )
    place = place.model_copy(update={"traffic": traffic})
    plan, building = floor_plan(place), build_facility(place)
    episode = simulate(place, plan, rng, seconds=SECONDS)
    moment = float(rng.uniform(6.0, SECONDS))
    light = replace(
        OTHER_DAY, people_per_100m2=0.0, lamps_off=float(rng.uniform(0, 0.3)), hours=float(rng.uniform(-1.5, 6))
    )
    day = draw_day(place, plan, building, rng, light)
    there = instances_at(episode, moment)
    world = build_world(shapes_of(place, building, day), there, day.lighting, DRAFT_LIGHT)
    walls = building_raycaster(building.shapes)
    objects = {thing.id: thing for thing in episode.objects}
    own = list(mounted_cameras(place).true)
    for number in range(views):
        for _ in range(MAX_DRAWS):
            camera = own[number] if number < len(own) else _draw_camera(rng, place, plan, there, day)
            boxes = CameraView(camera, walls, there, objects).boxes(0.0, ())
            if number < len(own) or _is_worth_it(boxes, camera):
                break
        picture = render(world, camera.camera(), camera.pose(), _exposed(rng)).image
        noise = replace(
            CHEAP_CAMERA, blur_px=float(rng.uniform(0.3, 1.0)), jpeg_quality=int(rng.integers(60, 95)),
            read_noise=float(rng.uniform(4, 14)),
        )  # fmt: skip
        image = f"{name}-{seed}-{number:03d}.jpg"
        write_atomic(out / image, encode_jpeg(add_noise(picture, noise, rng), noise))
        yield {
            "image": image,
            "world": f"{name}-{seed}",
            "boxes": [label_of(box, objects[box.object].spec) for box in boxes],
            "camera": camera.model_dump(mode="json"),
            "stalls": stall_labels(plan, camera, episode, moment),
        }


def _exposed(rng: np.random.Generator) -> RenderOptions:
    return replace(DRAFT, stops=float(rng.normal(0, 0.6)))


def _draw_camera(rng: np.random.Generator, place: Any, plan: Any, there: Sequence[Any], day: Day) -> FixedCamera:
    """Draw a camera that looks at something: a mounted one mostly, else one in a hand."""
    standing = np.array([each.site_from_model.translation for each in there])
    target = there[int(rng.integers(len(there)))].site_from_model.translation
    floors = [level for level in place.levels if level.elevation <= target[2] + 1.0]
    level = max(floors, key=lambda each: each.elevation)
    outline = shapely.Polygon(level.outline)
    is_mounted = rng.random() < 0.75
    top = min((level.ceiling or 5.5) - 0.15, 5.0)
    for _ in range(200):
        distance, turn = float(rng.uniform(3.0, 22.0)), float(rng.uniform(-np.pi, np.pi))
        at = target[:2] - distance * np.array([np.cos(turn), np.sin(turn)])
        inside = shapely.contains_xy(outline, *at)
        if inside and np.linalg.norm(standing[:, :2] - at, axis=1).min() > CLEAR_M:
            break
    height = float(rng.uniform(2.2, top) if is_mounted else rng.uniform(1.2, 2.0))
    aim = np.arctan2(target[2] + 0.7 - level.elevation - height, distance)
    pose = look(
        (*at, level.elevation + height),
        turn + float(rng.normal(0, 0.25)),
        float(aim + rng.normal(0, 0.1)),
        float(rng.normal(0, 0.03)),
    )
    return FixedCamera.of("view", _draw_lens(rng), pose, level=level.id)


def _draw_lens(rng: np.random.Generator) -> pycolmap.Camera:
    width, height = 640, 480 if rng.random() < 0.6 else 360
    centre = (width / 2, height / 2)
    if rng.random() < 0.12:
        focal = float(rng.uniform(205, 250))
        return camera_from_params("OPENCV_FISHEYE", width, height, (focal, focal, *centre, 0.02, -0.01, 0.0, 0.0))
    focal = float(rng.uniform(340, 620))
    return camera_from_params("SIMPLE_RADIAL", width, height, (focal, *centre, float(rng.uniform(-0.14, 0.0))))


def _is_worth_it(boxes: Sequence[Box], camera: FixedCamera) -> bool:
    """Tell whether some objects are seen and none fills the picture."""
    area = camera.width * camera.height
    sizes = [_area(box) / area for box in boxes if box.bbox_visible and box.visible_fraction > 0.3]
    return len([size for size in sizes if size > 0.0008]) >= LEAST_BOXES and max(sizes) < 0.45


def _area(box: Box) -> float:
    x1, y1, x2, y2 = box.bbox_visible or (0.0, 0.0, 0.0, 0.0)
    return (x2 - x1) * (y2 - y1)


if __name__ == "__main__":
    main()
