"""Localization in rendered garages: how many photos of another day are placed, how surely, and what is refused.

Without --case, `garage` and `garage-twins` are rendered and mapped with three seeds that nothing was set by: that takes
hours. A case names a rendered scene and a twin of the same facility, a stranger a scene and a twin of another one, none
of whose photos should be answered. Seconds are of one core.

    python -m benchmarks.localization [--case SCENE TWIN] ... [--stranger SCENE TWIN] ... [--report FOLDER] [--out FILE]
        [--note TEXT]
    python -m benchmarks.localization --pool FILE ... [--out FILE]

The second form puts together what runs of the first have written.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.localization_cases import RIGHT_M, SEEN, WRONG_M, Asked, ask, storeys_of, strata_of
from benchmarks.localization_places import place_recall
from benchmarks.localization_pool import pooled, reliability, require_once, together
from benchmarks.localization_worst import write_worst
from benchmarks.protocol import ROOT, describe_machine, print_table, run, write_results
from geometry import calibration, pose_difference, pose_error, position_of
from scenes import CaptureOptions, render_scene
from scenes.library import facility
from twin import MapInputs, Twin, map_images
from twin.mapping.pipeline import MapOptions

SEEDS = (1, 2, 3)
WALKS = {"garage": 400, "garage-twins": 480}
QUERIES = 500


def main() -> None:
    """Ask every case, judge, and print what the issue's table asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="taken for the sake of tiepoint bench; nothing is read there")
    parser.add_argument("--case", nargs=2, type=Path, action="append", metavar=("SCENE", "TWIN"))
    parser.add_argument("--stranger", nargs=2, type=Path, action="append", metavar=("SCENE", "TWIN"))
    parser.add_argument("--pool", nargs="+", type=Path, default=[], metavar="FILE", help="results to put together")
    parser.add_argument("--report", type=Path, help="folder for the ten worst answers of each case, as pictures")
    parser.add_argument("--note", default="", help="what a reader of the figures must know")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "localization.json")
    arguments = parser.parse_args()
    machine = describe_machine()
    earlier, runs = together(arguments.pool)
    found, strangers = earlier["cases"], earlier["strangers"]
    require_once([*found, *(_named(*pair) for pair in arguments.case or ())])
    require_once([*strangers, *(_named(*pair) for pair in arguments.stranger or ())])
    is_given = bool(arguments.case or arguments.stranger or arguments.pool)
    with tempfile.TemporaryDirectory() as temporary:
        cases = (arguments.case or ()) if is_given else rendered(Path(temporary))
        for scene, folder in cases:
            twin = Twin.open(folder)
            asked = list(ask(scene, twin, twin.localizer()))
            name = _named(scene, folder)
            if arguments.report is not None:
                write_worst(arguments.report / f"{name}.html", asked, twin, scene)
            found[name] = judged(asked, twin) | {"alike": twin.localizer_options.alike}
    if found:
        print_table(["", *next(iter(found.values()))["strata"]["all"]], [
            [f"{case} {stratum}", *figures.values()]
            for case, of_case in found.items()
            for stratum, figures in of_case["strata"].items()
        ])  # fmt: skip
    for scene, folder in arguments.stranger or ():
        strangers[_named(scene, folder)] = answered_strangers(scene, Twin.open(folder))
    for case, of_case in strangers.items():
        print(case, of_case)
    content = {"note": arguments.note, "cases": found, "pooled": pooled(found), "strangers": strangers}
    print(content["pooled"])
    if arguments.pool or not is_given:
        # The single answers were for pooling.
        content["cases"] = {name: {k: v for k, v in case.items() if k != "forced"} for name, case in found.items()}
    if runs:
        content["runs"] = runs
    write_results(arguments.out, content, machine)


def _named(scene: Path, folder: Path) -> str:
    return f"{scene.name} in {folder.name}"


def rendered(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Render and map the garages, with drifting priors and tags; yield scene and twin."""
    for scene in rendered_scenes(folder):
        twin = folder / f"{scene.name}-twin"
        inputs = MapInputs(
            images=scene / "walk",
            cameras=scene / "cameras.csv",
            poses=scene / "walk" / "poses.csv",
            tags=scene / "tags.csv",
            plan=scene / "plan.json",
        )
        map_images(inputs, twin, MapOptions(parts=("signs", "textures", "telltales")))
        yield scene, twin


def rendered_scenes(folder: Path) -> Iterator[Path]:
    """Render the garages, a walk and queries of another day, one after the other."""
    for name, walk in WALKS.items():
        for seed in SEEDS:
            scene = folder / f"{name}-{seed}"
            options = CaptureOptions(captures=("walk", "queries"), queries=QUERIES, walk_frames=walk, seed=seed)
            render_scene(facility(name, seed=seed), scene, options)
            yield scene


def answered_strangers(scene: Path, twin: Twin) -> dict[str, Any]:
    """Return how many photos of another place a twin was asked, and the confidence of those it answered, by name."""
    asked = list(ask(scene, twin, twin.localizer()))
    return {"photos": len(asked), "answered": {a.image: a.answer.confidence for a in asked if a.answered}}


def judged(asked: Sequence[Asked], twin: Twin) -> dict[str, Any]:
    """Return the figures of one case."""
    clear = [a for a in asked if a.seen_fraction >= SEEN]
    strata = strata_of(np.array([a.seen_fraction for a in asked]), np.array([a.evidence_px for a in asked]))
    forced = np.array([(a.confidence, a.right) for a in asked if a.choice is not None], dtype=np.float64)
    forced = forced.reshape(-1, 2)
    return {
        "strata": {
            name: _stratum([asked[i] for i in np.flatnonzero(those).tolist()], twin) for name, those in strata.items()
        },
        "ellipsoids": _ellipsoids([a for a in asked if a.answered and pose_error(a.best, a.true)[0] < WRONG_M]),
        "confidence": reliability(forced[:, 0], forced[:, 1]),
        "forced": forced.tolist(),
        "place_recall_at_1": place_recall(clear, twin),
        "cpu_seconds": _seconds([a.seconds for a in asked]),
        "cpu_seconds_where_read": _seconds([a.seconds for a in asked if _is_read(a)]),
        "cpu_seconds_elsewhere": _seconds([a.seconds for a in asked if not _is_read(a)]),
        "clock_seconds_where_read": _seconds([a.clock_s for a in asked if _is_read(a)]),
        "clock_seconds_elsewhere": _seconds([a.clock_s for a in asked if not _is_read(a)]),
    }


def _is_read(asked: Asked) -> bool:
    return asked.choice is not None and asked.choice.read


def _seconds(asked: Sequence[float]) -> dict[str, float] | None:
    """Return how many photos, and what asking one took."""
    if not asked:
        return None
    seconds = np.array(asked)
    median, late = np.percentile(seconds, [50, 99]).tolist()
    return {"photos": len(seconds), "median": median, "p99": late, "max": float(seconds.max())}


def _stratum(asked: Sequence[Asked], twin: Twin) -> dict[str, Any]:
    answered = [a for a in asked if a.answered]
    errors = np.array([pose_error(a.best, a.true)[0] for a in answered])
    named = storeys_of(twin, [a.best for a in answered])
    on_level = [name == a.level for name, a in zip(named, answered, strict=True)]
    ambiguous = [a for a in asked if (a.answer.reason or "").startswith("ambiguous")]
    return {
        "photos": len(asked),
        "localized": len(answered),
        "right": sum(a.right for a in answered),
        "wrong and sure": int(((errors > WRONG_M) | ~np.array(on_level, dtype=bool)).sum()),
        "of these over 1 m off": int((errors > WRONG_M).sum()),
        "of these on no level of the plan": int(((errors <= WRONG_M) & (np.array(named, dtype=str) == "")).sum()),
        "median m": float(np.median(errors)) if answered else None,
        "best pose right": sum(a.right for a in asked),
        "right one among poses": sum(_has_right(a) for a in asked),
        "ambiguous": len(ambiguous),
        "ambiguous, true one named": sum(_names_true(a) for a in ambiguous),
    }


def _has_right(asked: Asked) -> bool:
    poses = [] if asked.choice is None else [c.estimate.cam_from_site for c in asked.choice.candidates]
    return any(pose_error(pose, asked.true)[0] <= RIGHT_M for pose in poses)


def _names_true(asked: Asked) -> bool:
    places = np.array([place.position for place in asked.answer.coarse]).reshape(-1, 3)
    return bool((np.linalg.norm(places - position_of(asked.true), axis=1) < WRONG_M).any())


def _ellipsoids(answered: Sequence[Asked]) -> dict[str, float] | None:
    """Return how many true positions the claimed ellipsoids hold, and the median squared Mahalanobis length over 3."""
    if not answered:
        return None
    differences = np.array([pose_difference(a.true, a.answer.cam_from_site) for a in answered])
    covariances = np.array([a.answer.covariance for a in answered])
    found = calibration(differences[:, 3:], covariances[:, 3:, 3:])
    return {f"{p:g}": share for p, share in found.coverage.items()} | {"median NEES": found.median_nees}


if __name__ == "__main__":
    run(main)
