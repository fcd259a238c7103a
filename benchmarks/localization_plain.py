"""What plain SfM, retrieval and PnP answer to the photos that ``benchmarks.localization`` asks.

Pairs of the walk are each photo with the ten after it and the twenty that look most alike; COLMAP maps them at its
defaults with the true lens. The largest model is brought to the site by the similarity that most of its photos agree
with: that is more than who has no truth could do. The second map is given true poses and only triangulated. Queries
are matched with the twenty photos that look most alike, and all matches go into one LO-RANSAC.

    python -m benchmarks.localization_plain [SCENE ...] [--work FOLDER] [--out FILE]

Without scenes those of ``benchmarks.localization`` are rendered, which takes hours. Figures of scenes that were asked
before stay in the file.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from benchmarks.localization import rendered_scenes
from benchmarks.localization_cases import RIGHT_DEG, RIGHT_M, WRONG_M, strata_of
from benchmarks.plain import PlainMap, PlainPose, localize_among, map_at_poses, map_from_images
from benchmarks.protocol import ROOT, Photos, describe_machine, print_table, run, write_results
from benchmarks.scenes_confusion import captured_photos, most_agreed, retrieved
from geometry import FloorPlan, locate, pose_error, position_of, read_plan
from geometry.interchange import QUERY_COLUMNS
from geometry.tables import read_table

NEXT = 10
"""Photos after each of a walk that it is matched with, COLMAP's own number."""
SURE_INLIERS = 30
"""From how many on COLMAP itself registers a photo; below, an answer could be withheld."""
COUNTS = ("photos", "answered", "right", "wrong", "sure", "sure and right", "sure and wrong")
Flags = NDArray[np.bool_]


def main() -> None:
    """Map each scene both ways, ask, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", type=Path, help="rendered, with a walk and queries")
    parser.add_argument("--data", type=Path, help="taken for the sake of tiepoint bench; nothing is read there")
    parser.add_argument("--work", type=Path, help="where databases are made and kept")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "localization_plain.json")
    arguments = parser.parse_args()
    machine = describe_machine()
    figures: dict[str, Any] = {}
    if arguments.out.is_file():
        figures = json.loads(arguments.out.read_text("utf-8"))["scenes"]
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        for scene in arguments.scenes or rendered_scenes(Path(temporary)):
            figures[scene.name] = asked_of_both(scene, work / scene.name)
            write_results(arguments.out, {"scenes": figures}, machine)
    rows = [
        [name, way, stratum, *counts.values()]
        for name, ways in figures.items()
        for way, found in ways.items()
        for stratum, counts in found["strata"].items()
    ]
    print_table(["scene", "map", "photos", *COUNTS], rows)


def asked_of_both(scene: Path, work: Path) -> dict[str, Any]:
    """Return what maps by SfM and at true poses answer to a scene's queries, and how much of the walk SfM places."""
    walk, queries = (captured_photos(scene, kind, work) for kind in ("walk", "queries"))
    alike = retrieved(walk, walk)
    pairs = {name: _neighbours(walk.names, i, alike[name]) for i, name in enumerate(walk.names)}
    candidates = retrieved(walk, queries)
    found: dict[str, Any] = {}
    by_images = map_from_images(walk, work / "map", pairs)
    site_from_model = most_agreed(by_images.reconstruction, dict(zip(walk.names, walk.positions, strict=True)))
    found["SfM"] = {"map": _placed(by_images, walk, site_from_model)}
    if site_from_model is not None:
        by_images.reconstruction.transform(site_from_model)
        answers = localize_among(by_images, queries, candidates, work / "map")
    else:
        answers = [None] * len(queries.files)
    found["SfM"]["strata"] = judged(scene, queries, answers)
    at_poses = map_at_poses(walk, work / "map", pairs)
    answers = localize_among(at_poses, queries, candidates, work / "map")
    found["true poses"] = {
        "map": {"landmarks": at_poses.reconstruction.num_points3D()},
        "strata": judged(scene, queries, answers),
    }
    return found


def _neighbours(names: Sequence[str], i: int, alike: Sequence[str]) -> list[str]:
    """Return what a photo is matched with: none twice, not itself."""
    return sorted({*names[i + 1 : i + 1 + NEXT], *alike} - {names[i]})


def _placed(plain: PlainMap, walk: Photos, site_from_model: pycolmap.Sim3d | None) -> dict[str, Any]:
    """Return how many photos of the walk the largest model holds, and how many of them are near the truth."""
    images = list(plain.reconstruction.images.values())
    found: dict[str, Any] = {"photos": len(walk.files), "registered": len(images), "seconds": plain.seconds}
    if site_from_model is None:
        return found | {f"within {WRONG_M:g} m": 0}
    true = dict(zip(walk.names, walk.positions, strict=True))
    off = [np.linalg.norm(site_from_model * i.projection_center() - true[i.name]) for i in images]
    return found | {f"within {WRONG_M:g} m": int((np.array(off) < WRONG_M).sum()), "median m": float(np.median(off))}


def judged(scene: Path, queries: Photos, answers: Sequence[PlainPose | None]) -> dict[str, dict[str, int]]:
    """Count right and wrong answers by what photos show, of all that PnP found and of those with ``SURE_INLIERS``."""
    table = read_table(scene / "truth" / "queries.csv", QUERY_COLUMNS)
    answered = np.array([answer is not None for answer in answers], dtype=bool)
    sure = np.array([answer is not None and answer.inliers >= SURE_INLIERS for answer in answers], dtype=bool)
    right, wrong = verdicts(read_plan(scene / "plan.json"), table.text("level"), queries, answers)
    strata = strata_of(table.numbers("seen_fraction"), table.numbers("level_evidence_px"))
    counted = (np.ones_like(sure), answered, right, wrong, sure, sure & right, sure & wrong)
    return {
        name: {what: int((those & each).sum()) for what, each in zip(COUNTS, counted, strict=True)}
        for name, those in strata.items()
    }


def verdicts(
    plan: FloorPlan, levels: Sequence[str], queries: Photos, answers: Sequence[PlainPose | None]
) -> tuple[Flags, Flags]:
    """Tell which answers (N,) are right, and which over ``WRONG_M`` off or on another level than the true one."""
    right, wrong = (np.zeros(len(answers), dtype=bool) for _ in range(2))
    for row, (answer, true) in enumerate(zip(answers, queries.cams_from_site, strict=True)):
        if answer is None:
            continue
        off_m, off_deg = pose_error(answer.cam_from_site, true)
        level = locate(plan, position_of(answer.cam_from_site)[None]).level[0]
        named = plan.levels[level].id if level >= 0 else ""
        right[row] = off_m <= RIGHT_M and off_deg <= RIGHT_DEG
        wrong[row] = off_m > WRONG_M or named != levels[row]
    return right, wrong


if __name__ == "__main__":
    run(main)
