"""Labels for scenes that ``tiepoint scene render`` wrote: walk, queries, fixed cameras.

    tiepoint scene render garage --seed 1 --captures walk,queries --out SCENE
    python -m training.walks SCENE --seed 1 --every 2 --out PICTURES

Boxes of walk and queries are not among a scene's truth; they are made here by casting rays before what stood there.
"""

import argparse
import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pycolmap

from geometry import read_cameras
from geometry.frames import pose_from_position
from geometry.records import FixedCamera
from scenes.building import build_facility
from scenes.captures.boxes import read_boxes
from scenes.captures.day import OTHER_DAY, SURVEY_DAY, draw_day
from scenes.captures.render_scene import OTHER_STREAM, SURVEY_STREAM
from scenes.captures.visibility import CameraView, building_raycaster
from scenes.description import read_facility
from scenes.plan import floor_plan
from scenes.traffic import simulate
from training.labels import label_of, require_other_seed, write_labels

CAPTURES = {"walk": (SURVEY_STREAM, SURVEY_DAY), "queries": (OTHER_STREAM, OTHER_DAY)}


def main() -> None:
    """Label what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", type=Path)
    parser.add_argument("--seed", type=int, required=True, help="that of the rendering")
    parser.add_argument("--every", type=int, default=1, help="take every such picture of the walk")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    require_other_seed(arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for capture in CAPTURES:
        if (arguments.scene / "truth" / f"{capture}.csv").exists():
            write_labels(arguments.out / f"{arguments.scene.name}-{capture}.jsonl", _labelled(arguments, capture))
    if (arguments.scene / "truth" / "boxes.jsonl").exists():
        write_labels(arguments.out / f"{arguments.scene.name}-fixed.jsonl", _fixed(arguments))


def _labelled(arguments: argparse.Namespace, capture: str) -> Iterator[dict[str, Any]]:
    """Yield a line for each picture of a walk or of queries."""
    stream, options = CAPTURES[capture]
    scene, out = arguments.scene, arguments.out
    facility = read_facility(scene / "scene.yaml")
    plan, building = floor_plan(facility), build_facility(facility)
    parked = simulate(facility, plan, np.random.default_rng([arguments.seed, stream]), seconds=0.0)
    day = draw_day(facility, plan, building, np.random.default_rng([arguments.seed, stream]), options)
    specs: dict[str, Any] = {thing.id: thing for thing in parked.objects}
    objects: dict[str, Any] = {
        i.object: specs.get(i.object) or SimpleNamespace(id=i.object, kind="person", size=i.model.size, spec=i.object)
        for i in day.instances
    }
    walls = building_raycaster(building.shapes)
    lens = read_cameras(scene / "cameras.csv")[0].camera
    with (scene / "truth" / f"{capture}.csv").open(encoding="utf-8", newline="") as stream_of_rows:
        table = list(csv.DictReader(stream_of_rows))
    for row in table[:: arguments.every if capture == "walk" else 1]:
        file = scene / capture / row["image"]
        if not file.exists():
            continue
        numbers = [float(row[name]) for name in ("x", "y", "z", "qx", "qy", "qz", "qw")]
        pose = pose_from_position(np.array(numbers[:3]), np.array(numbers[3:]))
        image = f"{scene.name}-{capture}-{row['image']}"
        shutil.copyfile(file, out / image)
        view = FixedCamera.of("view", pycolmap.Camera(lens.todict()), pose, level="")
        boxes = CameraView(view, walls, day.instances, objects).boxes(0.0, ())
        rows = [label_of(box, objects[box.object].spec) for box in boxes]
        yield {"image": image, "world": f"{scene.name}-{capture}", "boxes": rows}


def _fixed(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a line for each frame of the fixed cameras, whose boxes are among the truth; vehicles' paint is not."""
    scene, out = arguments.scene, arguments.out
    counts: dict[str, int] = {}
    for frame in read_boxes(scene):
        number = counts.get(frame.camera, 0)
        counts[frame.camera] = number + 1
        file = scene / "fixed" / frame.camera / f"{number:06d}.jpg"
        image = f"{scene.name}-{frame.camera}-{number:06d}.jpg"
        shutil.copyfile(file, out / image)
        yield {"image": image, "world": f"{scene.name}-fixed", "boxes": [label_of(box) for box in frame.boxes]}


if __name__ == "__main__":
    main()
