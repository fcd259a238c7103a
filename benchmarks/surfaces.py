"""What a twin says of a facility against the truth of rendered scenes: floors, plan, stalls, signs, surface.

Every scene is rendered, its walk mapped from a phone's drifting poses and surveyed tags without a plan, and once more
judged with one. Seeds 1 to 3 served no development. ``--folder`` keeps scenes and twins there, and goes on with
them; ``--scenes`` and ``--seeds`` take some only. Also the speed of questions to a plan, and stalls in a real lot's
pictures where DATA holds ``pklot30``.

    python -m benchmarks.surfaces [--data DATA] [--folder FOLDER] [--scenes NAME,...] [--seeds N,...] [--out FILE]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.plan_speed import measure_speed
from benchmarks.protocol import ROOT, describe_machine, print_table, run, write_results
from benchmarks.surfaces_floors import measure_floors, measure_plan_fit
from benchmarks.surfaces_signs import judge_signs
from benchmarks.surfaces_stalls import judge_lanes, judge_stalls, measure_pklot
from benchmarks.surfaces_views import measure_views
from geometry import FloorPlan, InputError, read_plan, read_true_poses
from scenes import CaptureOptions, render_scene
from scenes.description import read_facility
from scenes.library import facility
from twin import MapInputs, MapOptions, Twin, map_images
from twin.mapping import PARTS
from twin.photos import photos_of
from twin.surface import build_surface

Figures = dict[str, Any]

WALK_FRAMES = {"garage": 320, "lot": 240, "garage-twins": 480}
"""About a picture every two metres in the garages, every metre in the lot."""
QUERIES = 34
"""Poses a seed at which the surface is looked at: 102 of each scene."""
SEEDS = (1, 2, 3)


def measure_scene(name: str, seed: int, folder: Path) -> Figures:
    """Render and map a scene, or take what ``folder`` holds of it, and judge all that its twin says."""
    scene, target = folder / f"{name}-{seed}", folder / f"{name}-{seed}-twin"
    options = CaptureOptions(
        captures=("walk", "queries"), walk_frames=WALK_FRAMES[name], queries=QUERIES, seed=seed, quality="full"
    )
    if not (scene / "truth" / "queries.csv").exists():  # a scene that is there counts, whatever its walk's frames
        render_scene(facility(name), scene, options)
    seconds = None  # of a twin that was there before nobody knows
    if not target.exists():
        started = time.perf_counter()
        inputs = MapInputs(
            images=scene / "walk",
            cameras=scene / "cameras.csv",
            poses=scene / "walk" / "poses.csv",
            tags=scene / "tags.csv",
        )
        map_images(inputs, target, MapOptions(parts=PARTS))
        seconds = time.perf_counter() - started
    twin, truth = Twin.open(target), read_plan(scene / "plan.json")
    placed = {photo.name: photo for photo in photos_of(twin.reconstruction, scene / "walk")}
    photos = [placed[view] for view in twin.landmarks.views]
    # The plan's levels stand for what signs would name them; stalls and signs are those of the map alone.
    surface = build_surface(truth, twin.landmarks, photos)
    proposed = _named(twin.plan, truth)
    return {
        "map": map_errors(twin, scene) | {"seconds": seconds},
        "bytes": {part: _bytes(target, part) for part in ("map", "landmarks", "places", "layout", "surface")},
        "floors": measure_floors(scene, twin),
        "plan_fit": measure_plan_fit(scene, twin, np.random.default_rng(seed)),
        "stalls": judge_stalls(proposed, truth) | {"lanes": judge_lanes(proposed, truth)},
        "signs": judge_signs(twin.signs, truth, read_facility(scene / "scene.yaml"), photos, seed),
        "views": measure_views(scene, surface),
    }


def _named(proposed: FloorPlan | None, truth: FloorPlan) -> FloorPlan:
    """Return a proposed plan whose levels have the names of the true ones at their heights."""
    if proposed is None:
        raise InputError("the twin has no plan, so that there is nothing to judge", remedy="See its quality.json.")
    heights = np.array([level.elevation for level in truth.levels])
    name = {each.id: truth.levels[int(np.abs(heights - each.elevation).argmin())].id for each in proposed.levels}
    moved = {
        kind: tuple(each.model_copy(update={"level": name[each.level]}) for each in getattr(proposed, kind))
        for kind in ("stalls", "lanes")
    }
    levels = tuple(level.model_copy(update={"id": name[level.id]}) for level in proposed.levels)
    return proposed.model_copy(update={"levels": levels, **moved})


def map_errors(twin: Twin, scene: Path) -> Figures:
    """Return how far the camera centres of a twin are from their true places, metres."""
    truth = read_true_poses(scene / "truth" / "walk.csv")
    true = dict(zip(truth.images, truth.positions, strict=True))
    error = np.linalg.norm(twin.view_positions - np.array([true[name] for name in twin.landmarks.views]), axis=1)
    return {
        "placed": len(error),
        "photos": len(true),
        "median_m": float(np.median(error)),
        "p90_m": float(np.percentile(error, 90)),
        "max_m": float(error.max()),
    }


def _bytes(folder: Path, part: str) -> int:
    return sum(path.stat().st_size for path in (folder / part).rglob("*") if path.is_file())


def table(figures: dict[str, Figures]) -> list[tuple[str, str, str, str]]:
    """Return of every scene and seed a row a figure: what, its value, its bound, and whether it keeps it."""
    rows: list[tuple[str, str, str, str]] = []

    def add(what: str, value: float | None, bound: str, kept: bool) -> None:
        rows.append((what, _cell(value), bound, "" if kept else "none seen" if value is None else "MISSED"))

    def most(what: str, value: float | None, bound: float) -> None:
        add(what, value, f"at most {bound:g}", value is not None and value <= bound)

    def least(what: str, value: float | None, bound: float) -> None:
        add(what, value, f"at least {bound:g}", value is not None and value >= bound)

    for name, found in figures.items():
        floors, stalls, signs, views = (found[part] for part in ("floors", "stalls", "signs", "views"))
        add(f"{name}: levels right", float(floors["levels_right"]), "1", bool(floors["levels_right"]))
        driven, ramp = floors.get("driven") or {}, floors.get("ramp") or {}
        most(f"{name}: floor height m, median", driven.get("median_m"), 0.01)
        most(f"{name}: floor height m, 95 %", driven.get("p95_m"), 0.03)
        if floors["true_ramps"]:
            most(f"{name}: ramp height m, 95 %", ramp.get("p95_m"), 0.05)
        corners = [fit.get("stall_corners_median_m", np.inf) for fit in found["plan_fit"]]
        most(f"{name}: stall corners after a plan's fit m, median", float(np.median(corners)), 0.05)
        least(f"{name}: stalls proposed, recall", stalls["recall"], 0.9)
        least(f"{name}: stalls proposed, precision", stalls["precision"], 0.9)
        least(f"{name}: signs found of those seen under 8 m", signs["of_seen"]["share"], 0.85)
        # Letters are half as large there: harder than what is asked, and there are such signs.
        least(f"{name}: the same under 15 m", signs["of_seen_far"]["share"], 0.85)
        most(f"{name}: wrong texts of those claimed", signs["claimed_wrong"] / max(1, signs["claimed"]), 0.02)
        # The surface is the true plan's, with what the map saw around it, cut and coloured by the map.
        most(f"{name}: depth m, median", views["median_depth_error_m"], 0.05)
        least(f"{name}: depth within 20 cm", views["within_20cm"], 0.9)
        rows.append((f"{name}: the same, of pixels that show the site", _cell(views["within_20cm_on_site"]), "", ""))
        least(f"{name}: SSIM of novel views, median", views["ssim"]["median"], 0.6)
    return rows


def _cell(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def main() -> None:
    """Measure, print the table and write the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data sets")
    parser.add_argument("--folder", type=Path, help="where scenes and twins are kept")
    parser.add_argument("--scenes", default=",".join(WALK_FRAMES), help="names of the library, with commas")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="numbers, with commas")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "benchmarks" / "results" / "surfaces.json", help="JSON file to write"
    )
    given = parser.parse_args()
    machine = describe_machine()
    figures: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for seed in map(int, given.seeds.split(",")):
            for name in given.scenes.split(","):
                print(f"measuring {name} {seed}", flush=True)
                figures[f"{name} {seed}"] = measure_scene(name, seed, given.folder or Path(scratch))
                print(json.dumps(figures[f"{name} {seed}"]["map"]), flush=True)
    rows = table(figures)
    print_table(["", "", "bound", ""], rows)
    lot = measure_pklot(given.data) if (given.data / "pklot30").exists() else None
    content = {"table": rows, "scenes": figures, "plan_speed": measure_speed(), "pklot": lot}
    write_results(given.out, content, machine)


if __name__ == "__main__":
    run(main)
