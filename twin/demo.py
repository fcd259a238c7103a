"""The demo: a level of a rendered garage, walked through and mapped, photos of another day localized, and a report."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry import InputError, pose_from_position, read_cameras, read_true_poses, write_atomic
from perception import list_images
from scenes import CaptureOptions, NoiseOptions, add_noise, encode_jpeg, render_scene
from scenes.captures.options import Quality
from scenes.library import facility
from twin.evaluate import evaluate_localization
from twin.localization import Localization, write_localizations
from twin.mapping import PARTS, MapInputs, MapOptions, map_images
from twin.model import Twin
from twin.progress import Progress, silent
from twin.queries import localize_images
from twin.report import find_examples, write_report

MARK = ".tiepoint-demo.json"
"""Says that a folder is a demo's, and of which options."""
OTHER_SEED = 1000
"""Added to the seed for the other place: of the same scene it is a look-alike, with other surfaces."""
FILES = {
    "scene/": "the rendered garage: its plan, the walk with a phone's poses, the queries, the tags, and the truth",
    "elsewhere/": "another rendered place, whose photos must be refused",
    "twin/": "the map with its plan; map/ is readable by COLMAP too",
    "localizations.jsonl": "one answer a query, with covariance and confidence",
    "foreign.jsonl": "the answers for photos of other places, all refused if all is well",
    "evaluation.json": "the figures of this page",
}


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What the demo renders.

    scene: a facility of the library, level: the one of it that is mapped, None for all of a facility
    elsewhere: the facility whose photos must be refused
    seed: of everything drawn; walk, queries, strangers: numbers of photos
    min_seen: queries show surfaces of which the walk saw at least this share; what nobody surveyed can't be found
    """

    scene: str = "garage"
    level: str | None = "P1"
    elsewhere: str = "room"
    seed: int = 0
    walk: int = 120
    queries: int = 24
    strangers: int = 4
    min_seen: float = 0.3
    quality: Quality = "full"


def run_demo(out: Path, options: DemoOptions | None = None, on_progress: Progress = silent) -> dict[str, Any]:
    """Render a level of a garage, map it, localize photos, write ``out``/report.html; return the figures.

    The map is made of what a surveyor would have: photos, the drifting poses of a phone, surveyed tags, a lens and a
    floor plan. The figures are those of ``evaluate_localization``, and under "foreign" how many photos of other
    places there were and how many of them were refused. A rerun with the same options goes on with what is rendered;
    with others it replaces it. Raises ``InputError`` where ``out`` holds something else.
    """
    options = options or DemoOptions()
    _claim(out, options)
    scene = out / "scene"
    _render(out, options, on_progress)
    inputs = MapInputs(
        images=scene / "walk",
        cameras=scene / "cameras.csv",
        poses=scene / "walk" / "poses.csv",
        tags=scene / "tags.csv",
        plan=scene / "plan.json",
    )
    map_images(inputs, out / "twin", MapOptions(seed=options.seed, parts=PARTS), on_progress)
    twin = Twin.open(out / "twin")
    queries, foreign = _photos(scene / "queries"), _photos(out / "foreign")
    answers = _localize(twin, scene, queries, partial(on_progress, "localize queries"))
    refusals = _localize(twin, scene, foreign, partial(on_progress, "localize foreign"))
    write_localizations(out / "localizations.jsonl", answers)
    write_localizations(out / "foreign.jsonl", refusals)
    figures = evaluate_localization(out / "localizations.jsonl", scene / "truth" / "queries.csv")
    figures["foreign"] = {"photos": len(refusals), "refused": sum(a.status == "refused" for a in refusals)}
    write_atomic(out / "evaluation.json", json.dumps(figures, indent=2).encode())
    on_progress("report", 0, 1)
    _report(out, twin, answers, refusals, figures)
    on_progress("report", 1, 1)
    return figures


def _claim(out: Path, options: DemoOptions) -> None:
    """Make ``out`` a demo's folder, emptied if it was rendered with other options."""
    wanted, mark = json.dumps(asdict(options), indent=2), out / MARK
    if out.exists() and any(out.iterdir()):
        if not mark.is_file():
            raise InputError(
                "exists and is not a demo's folder", where=str(out), remedy="Remove it, or choose another --out."
            )
        if mark.read_text("utf-8") != wanted:
            for rendered in ("scene", "elsewhere", "foreign"):
                shutil.rmtree(out / rendered, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(mark, wanted.encode())


def _render(out: Path, options: DemoOptions, on_progress: Progress) -> None:
    """Render the garage's walk and queries, and photos of elsewhere."""
    captures = CaptureOptions(
        captures=("walk", "queries"),
        walk_frames=options.walk,
        queries=options.queries,
        levels=None if options.level is None else (options.level,),
        seed=options.seed,
        quality=options.quality,
        min_seen=options.min_seen,
    )
    render_scene(facility(options.scene, seed=options.seed), out / "scene", captures, on_progress)
    others = CaptureOptions(captures=("queries",), queries=options.strangers, seed=options.seed, quality="draft")
    elsewhere = facility(options.elsewhere, seed=options.seed + OTHER_SEED)
    render_scene(elsewhere, out / "elsewhere", others, on_progress)
    (out / "foreign").mkdir(exist_ok=True)
    for path in sorted((out / "elsewhere" / "queries").glob("*.jpg")):
        shutil.copyfile(path, out / "foreign" / f"elsewhere-{path.name}")
    for name, image in _nowhere(np.random.default_rng(options.seed)):
        (out / "foreign" / name).write_bytes(encode_jpeg(image, NoiseOptions()))


def _nowhere(rng: np.random.Generator) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield names and pictures that show no place: a blank wall, mere noise."""
    shape = (480, 640, 3)
    yield "blank-wall.jpg", add_noise(np.full(shape, 170, dtype=np.uint8), NoiseOptions(), rng)
    yield "noise.jpg", rng.integers(0, 256, shape, dtype=np.uint8)


def _photos(folder: Path) -> dict[str, Path]:
    """Return the files of a folder of photos by name."""
    return {name: folder / name for name in list_images(folder)}


def _localize(twin: Twin, scene: Path, named: dict[str, Path], on_progress: Any) -> list[Localization]:
    answers = []
    for answer in localize_images(twin, named.items(), read_cameras(scene / "cameras.csv")):
        answers.append(answer)
        on_progress(len(answers), len(named))
    return answers


def _report(
    out: Path, twin: Twin, answers: list[Localization], foreign: list[Localization], figures: dict[str, Any]
) -> None:
    scene, poses = out / "scene", read_true_poses(out / "scene" / "truth" / "queries.csv")
    truth = map(pose_from_position, poses.positions, poses.quats_xyzw)
    queries, cameras = _photos(scene / "queries"), read_cameras(scene / "cameras.csv")
    write_report(
        out / "report.html",
        twin,
        [*answers, *foreign],
        title="A parking garage, mapped and found again",
        truth=dict(zip(poses.images, truth, strict=True)),
        evaluation=figures,
        images=queries | _photos(out / "foreign"),
        foreign={answer.image for answer in foreign},
        examples=find_examples(twin, answers, queries, scene / "walk", cameras),
        files=FILES,
    )
