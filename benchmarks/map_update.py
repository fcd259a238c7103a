"""Updating a twin of one level of a rendered garage: what moves, who is placed, what localization gains and loses.

1. Of the 164 photos that begin a walk a twin is made of 136; then 28 enter, in stretches, and 14 leave.
2. Photos of another day, with other cars, enter instead, and ask to from the other level, which looks alike and which
   the twin does not have.
3. A budget thins the map to six tenths.

Other photos of that day are asked of all twins.

Without --scene a garage is rendered first, which takes half an hour. What is in --work already is not made again.

    python -m benchmarks.map_update [--scene SCENE] [--work FOLDER] [--whole TWIN] [--out FILE]
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.localization_cases import Asked, ask
from benchmarks.protocol import ROOT, describe_machine, print_table, run, spread, write_results
from geometry import (
    DegenerateError,
    locate,
    pose_error,
    pose_from_position,
    position_of,
    read_plan,
    read_poses,
    read_tags,
    tag_corners,
    triangulate_marks,
)
from geometry.interchange import QUERY_COLUMNS
from geometry.tables import read_table
from perception import detect_tags, read_image
from scenes import CaptureOptions, render_scene
from scenes.library import facility
from twin import MapInputs, Twin, map_images, update_map
from twin.landmarks import quantized
from twin.mapping import MapOptions
from twin.mapping.landmark_model import landmark_model
from twin.mapping.tag_sightings import CORNER_SIGMA_PX
from twin.mapping.update import CHANGED

SEED, WALK, QUERIES = 2, 400, 250
LEVEL, PHOTOS = "P1", 164
OF_THE_LEVEL, STRANGERS, ASKED = 30, 10, 40
"""Photos of another day: those that enter, or ask to, and those that are localized."""
STRETCH, EVERY, ENTERS, TAIL = 8, 6, 3, 160
"""Of stretches of 8 photos every sixth enters later, and so do the last photos."""
GONE = slice(65, 79)
BUDGET_SHARE = 0.6
WRONG_M = 1.0
Array = NDArray[np.float64]


def main() -> None:
    """Map, update, ask, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="taken for the sake of tiepoint bench; nothing is read there")
    parser.add_argument("--scene", type=Path, help="a rendered garage with a walk, queries and tags")
    parser.add_argument("--work", type=Path, help="where twins are made and kept")
    parser.add_argument("--whole", type=Path, help="a twin of the whole walk: what it takes when it is written anew")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "map_update.json")
    arguments = parser.parse_args()
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        scene = arguments.scene or _rendered(work / "scene")
        found = _measure(scene, work)
        if arguments.whole is not None:
            found["whole walk"] = _written_anew(arguments.whole, work)
        write_results(arguments.out, found, machine)


def _rendered(folder: Path) -> Path:
    if not folder.exists():
        options = CaptureOptions(captures=("walk", "queries"), queries=QUERIES, walk_frames=WALK, seed=SEED)
        render_scene(facility("garage", seed=SEED), folder, options)
    return folder


def _measure(scene: Path, work: Path) -> dict[str, Any]:
    names = [f"{i:04d}.jpg" for i in range(PHOTOS)]
    entering = {name for i, name in enumerate(names) if i // STRETCH % EVERY == ENTERS or i >= TAIL}
    old = [name for name in names if name not in entering]
    gone = set(old[GONE])
    walk = {name: scene / "walk" / name for name in names}
    table = read_table(scene / "truth" / "queries.csv", QUERY_COLUMNS)
    levels = dict(zip(table.text("image"), table.text("level"), strict=True))
    of_level = [name for name, level in levels.items() if level == LEVEL]
    strangers = [name for name, level in levels.items() if level != LEVEL][:STRANGERS]
    entrants = of_level[::2][:OF_THE_LEVEL]
    another_day = {f"day2-{name}": scene / "queries" / name for name in [*entrants, *strangers]}
    questions = _questions(scene, work / "questions", of_level[1::2][:ASKED])

    first = _photos(work / "old", {name: walk[name] for name in old})
    poses, tags, cameras = scene / "walk" / "poses.csv", scene / "tags.csv", scene / "cameras.csv"
    seconds: dict[str, float] = {}
    twins = {"old": work / "old-twin"}
    if not twins["old"].exists():
        started = time.process_time()
        map_images(MapInputs(images=first, cameras=cameras, poses=poses, tags=tags), twins["old"])
        seconds["old"] = time.process_time() - started
    full = json.loads((twins["old"] / "quality.json").read_text("utf-8"))
    later = {name: walk[name] for name in names if name not in gone}
    jobs = {
        "updated": (later, MapOptions()),
        "another day": ({**{name: walk[name] for name in old}, **another_day}, MapOptions()),
        "budget": (later, MapOptions(budget_mb=BUDGET_SHARE)),
    }
    for name, (photos, options) in jobs.items():
        twins[name] = work / f"{name.replace(' ', '-')}-twin"
        source = twins["updated" if name == "budget" else "old"]
        if twins[name].exists():
            continue
        if name == "budget":
            size = json.loads((source / "quality.json").read_text("utf-8"))["size"]["bytes"]["map"]
            options = MapOptions(budget_mb=BUDGET_SHARE * size / 1e6)
        folder = _photos(work / name.replace(" ", "-"), photos)
        started = time.process_time()
        update_map(MapInputs(images=folder, cameras=cameras, poses=poses), source, twins[name], options)
        seconds[name] = time.process_time() - started

    truth = read_poses(scene / "truth" / "walk.csv")
    true = {n: pose_from_position(truth.positions[i], truth.quats_xyzw[i]) for i, n in enumerate(truth.images)}
    positions, quats = table.numbers("x", "y", "z"), table.numbers("qx", "qy", "qz", "qw")
    true |= {f"day2-{n}": pose_from_position(positions[i], quats[i]) for i, n in enumerate(levels)}
    asked = {}
    for name, folder in twins.items():
        twin = Twin.open(folder)
        asked[name] = list(ask(questions, twin, twin.localizer()))
    opened = {name: Twin.open(folder) for name, folder in twins.items()}
    result: dict[str, Any] = {
        "photos": {"old": len(old), "enter": len(entering), "leave": len(gone), "of another day": len(another_day)},
        "cpu_seconds": seconds,
        "old map": {"placed": full["images"]["placed"], "not_placed": full["images"]["not_placed"]},
    }
    for name, twin in opened.items():
        result[name] = {
            "localization": _localization(asked[name]),
            "camera_error_m": _errors(twin, true, set(old)),
            "control": _control(scene, twin, walk),
            "size": _size(twins[name]),
        }
        if name != "old":
            result[name] |= _told(twins[name], opened["updated" if name == "budget" else "old"], twin)
            result[name]["entered_error_m"] = _errors(twin, true, entering | another_day.keys())
            result[name]["vanished"] = _vanished(scene, twin)
            result[name]["strangers_entered"] = sum(f"day2-{each}" in twin.view_poses for each in strangers)
    print_table(
        ["", "asked", "localized", "right", "wrong", "MB"],
        [[name, *result[name]["localization"].values(), result[name]["size"]["map_mb"]] for name in twins],
    )
    return result


def _questions(scene: Path, folder: Path, names: Sequence[str]) -> Path:
    """Return a scene with some of the queries of another."""
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(scene / "cameras.csv", folder / "cameras.csv")
    header, *rows = (scene / "truth" / "queries.csv").read_text("utf-8").splitlines()
    kept = [header, *(row for row in rows if row.partition(",")[0] in names)]
    (folder / "truth" / "queries.csv").write_text("\n".join(kept) + "\n", "utf-8")
    _photos(folder / "queries", {name: scene / "queries" / name for name in names})
    return folder


def _photos(folder: Path, files: dict[str, Path]) -> Path:
    """Fill a folder with photos under these names."""
    folder.mkdir(exist_ok=True)
    for name, path in files.items():
        if not (folder / name).exists():
            shutil.copyfile(path, folder / name)
    return folder


def _localization(asked: Sequence[Asked]) -> dict[str, int]:
    answered = [a for a in asked if a.answered]
    return {
        "asked": len(asked),
        "localized": len(answered),
        "right": sum(a.right for a in answered),
        "wrong": sum(pose_error(a.best, a.true)[0] > WRONG_M for a in answered),
    }


def _errors(twin: Twin, true: dict[str, Any], names: set[str]) -> dict[str, float] | None:
    poses = twin.view_poses
    return spread([pose_error(poses[name], true[name])[0] for name in sorted(names & poses.keys() & true.keys())])


def _told(folder: Path, before: Twin, after: Twin) -> dict[str, Any]:
    """Return what update.json counts, and how far cameras moved that were there before and were not placed again."""
    update = json.loads((folder / "update.json").read_text("utf-8"))
    photos = update["photos"]
    stay = (before.view_poses.keys() & after.view_poses.keys()) - set(photos["placed_again"])
    shifts = [np.linalg.norm(position_of(before.view_poses[n]) - position_of(after.view_poses[n])) for n in stay]
    quality = json.loads((folder / "quality.json").read_text("utf-8"))
    return {
        "kept": len(stay),
        "kept_shift_m": float(max(shifts)),
        "placed_again": photos["placed_again"],
        "entered": len(photos["entered"]),
        "not_placed": len(photos["not_placed"]),
        "landmarks": update["landmarks"],
        "changes": {kind: len(update[kind]) for kind in ("appeared", "vanished", "moved")},
        "thinned": quality.get("thinned"),
        "left_out": {key: quality["left_out"][key] for key in ("images", "localized")},
    }


def _vanished(scene: Path, twin: Twin) -> dict[str, float | int | None]:
    """Return how many landmarks are probably there no more, and which share of them and of all is in stalls.

    From one day to another nothing but cars changes in a rendered garage, and those stand in stalls.
    """
    gone = twin.landmarks.presence < CHANGED
    in_stalls = locate(read_plan(scene / "plan.json"), np.asarray(twin.landmarks.points)).stall >= 0
    share = float(in_stalls[gone].mean()) if gone.any() else None
    return {"landmarks": int(gone.sum()), "in_stalls": share, "all_in_stalls": float(in_stalls.mean())}


def _control(scene: Path, twin: Twin, files: dict[str, Path]) -> dict[str, Any]:
    """Return how far the corners of surveyed tags are from where they were surveyed, by the photos of a twin."""
    tags = read_tags(scene / "tags.csv")
    surveyed = tag_corners(tags.size_m, tags.positions, tags.quats_xyzw)
    seen: dict[int, list[tuple[str, Array]]] = {}
    for name in sorted(files.keys() & twin.view_poses.keys()):
        for row, corners in _tags_in(files[name], tags):
            seen.setdefault(row, []).append((name, corners))
    errors, rng = [], np.random.default_rng(0)
    for row, views in seen.items():
        poses = [twin.view_poses[name] for name, _ in views]
        cameras = [twin.reconstruction.find_image_with_name(name).camera for name, _ in views]
        for corner in range(4):
            pixels = np.array([corners[corner] for _, corners in views])
            try:
                point, _ = triangulate_marks(pixels, poses, cameras, CORNER_SIGMA_PX, rng=rng)
            except DegenerateError:
                continue
            errors.append(float(np.linalg.norm(point - surveyed[row, corner])))
    return {"corners": len(errors), "error_m": spread(errors)}


def _tags_in(path: Path, tags: Any) -> Iterator[tuple[int, Array]]:
    rows = {key: row for row, key in enumerate(zip(tags.families, tags.ids.tolist(), strict=True))}
    for family in sorted(set(tags.families)):
        found = detect_tags(read_image(path, name=path.name).gray, family)
        for tag, corners in zip(found.ids.tolist(), np.asarray(found.corners).reshape(-1, 4, 2), strict=True):
            if (family, tag) in rows:
                yield rows[family, tag], corners


def _size(folder: Path) -> dict[str, Any]:
    parts = {part: sum(p.stat().st_size for p in (folder / part).rglob("*") if p.is_file()) / 1e6
             for part in ("map", "landmarks", "places")}  # fmt: skip
    size = json.loads((folder / "quality.json").read_text("utf-8")).get("size", {})
    return {"map_mb": sum(parts.values()), "parts_mb": parts, "map_bytes_per_m2": size.get("map_bytes_per_m2")}


def _written_anew(whole: Path, work: Path) -> dict[str, Any]:
    """Return what an older twin takes, and its landmarks as they are stored now; photos are asked of both."""
    target = work / "whole-twin"
    shutil.copytree(whole, target, dirs_exist_ok=True)
    twin = Twin.open(whole)
    descriptors, step = quantized(twin.landmarks.described(slice(None)))
    landmarks = replace(twin.landmarks, descriptors=descriptors, descriptor_step=step)
    shutil.rmtree(target / "landmarks")
    (target / "landmarks").mkdir()
    landmarks.save(target / "landmarks")
    landmark_model(landmarks, twin.reconstruction).write(target / "map")
    found: dict[str, Any] = {}
    for name, folder in (("before", whole), ("now", target)):
        opened = Twin.open(folder)
        asked = list(ask(work / "questions", opened, opened.localizer()))
        found[name] = {"size": _size(folder), "localization": _localization(asked)}
    return found


if __name__ == "__main__":
    run(main)
