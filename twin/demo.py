"""The demo: a rendered court, walked through and mapped, photos localized in it, judged by truth, and a report."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
import yaml
from numpy.typing import NDArray

from geometry import InputError, pose_from_position, read_cameras, read_poses, write_atomic
from perception import list_images
from scenes import (
    NoiseOptions,
    add_noise,
    court,
    encode_jpeg,
    query_views,
    render_capture,
    walk_views,
    write_capture,
)
from twin.evaluate import evaluate_localization
from twin.localization import Localization, write_localizations
from twin.mapping import MapInputs, MapOptions, map_images
from twin.model import Twin
from twin.progress import Progress, silent
from twin.queries import localize_images
from twin.report import find_examples, write_report

OTHER_SEED = 1000
"""Added to the seed for the look-alike place: the same walls and windows with other surfaces."""
FILES = {
    "scene/": "the rendered photos: the walk, the queries, photos of other places, and the truth",
    "twin/": "the map; readable by COLMAP too",
    "localizations.jsonl": "one answer a query, with covariance and confidence",
    "foreign.jsonl": "the answers for photos of other places, all refused if all is well",
    "evaluation.json": "the figures of this page",
}


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What the demo renders.

    seed: of everything drawn; walk, queries, look_alikes: numbers of photos of the court and of its look-alike
    width, height: of every photo, pixels; px_per_m: resolution of the court's textures
    """

    seed: int = 0
    walk: int = 40
    queries: int = 24
    look_alikes: int = 3
    width: int = 640
    height: int = 480
    px_per_m: float = 128.0


def run_demo(out: Path, options: DemoOptions | None = None, on_progress: Progress = silent) -> dict[str, Any]:
    """Render a court, map it, localize photos, write ``out``/report.html and all files behind it; return the figures.

    The walk's poses are taken as surveyed (``truth/walk.csv``). The figures are those of ``evaluate_localization``,
    and under "foreign" how many photos of other places there were and how many of them were refused. What an earlier
    demo left in ``out`` is replaced. Raises ``InputError`` where ``out``/scene is something else.
    """
    options = options or DemoOptions()
    scene = out / "scene"
    _render(scene, options, on_progress)
    inputs = MapInputs(images=scene / "walk", cameras=scene / "cameras.csv", poses=scene / "truth" / "walk.csv")
    map_images(inputs, out / "twin", MapOptions(seed=options.seed), on_progress)
    twin = Twin.open(out / "twin")
    answers = _localize(twin, scene, "queries", on_progress)
    foreign = _localize(twin, scene, "foreign", on_progress)
    write_localizations(out / "localizations.jsonl", answers)
    write_localizations(out / "foreign.jsonl", foreign)
    figures = evaluate_localization(out / "localizations.jsonl", scene / "truth" / "queries.csv")
    figures["foreign"] = {"photos": len(foreign), "refused": sum(a.status == "refused" for a in foreign)}
    write_atomic(out / "evaluation.json", json.dumps(figures, indent=2).encode())
    on_progress("report", 0, 1)
    _report(out, twin, answers, foreign, figures)
    on_progress("report", 1, 1)
    return figures


def _render(scene: Path, options: DemoOptions, on_progress: Progress) -> None:
    """Render all photos beside ``scene`` and put them in place when they are whole; scene.yaml marks them as ours."""
    if scene.exists() and not (scene / "scene.yaml").is_file():
        raise InputError("exists and is not a demo's scene", where=str(scene), remedy="Choose another --out.")
    partial = scene.with_name(".scene.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    rng = np.random.default_rng(options.seed)
    camera = _camera(options)
    on_progress("render", 0, options.walk + options.queries)
    place = court(options.seed, options.px_per_m)
    write_capture(
        partial,
        place,
        walk_views(place, camera, rng, options.walk),
        query_views(place, camera, rng, options.queries),
        rng,
        on_progress=lambda done, total: on_progress("render", done, total),
    )
    del place  # a court takes a gigabyte, and the look-alike is the next
    (partial / "foreign").mkdir()
    for name, image in _foreign_photos(options, camera, rng):
        (partial / "foreign" / name).write_bytes(encode_jpeg(image, NoiseOptions()))
    (partial / "scene.yaml").write_text(yaml.safe_dump({"scene": "court", **asdict(options)}), "utf-8")
    if scene.exists():
        shutil.rmtree(scene)
    partial.rename(scene)


def _camera(options: DemoOptions) -> pycolmap.Camera:
    """Return the lens of all photos: that of a phone, 67 degrees wide with a little barrel distortion."""
    w, h = options.width, options.height
    return pycolmap.Camera(model="SIMPLE_RADIAL", width=w, height=h, params=[0.75 * w, w / 2, h / 2, -0.04])


def _foreign_photos(
    options: DemoOptions, camera: pycolmap.Camera, rng: np.random.Generator
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield names and pictures that a twin of the court must refuse: its look-alike, a blank wall, mere noise."""
    place = court(options.seed + OTHER_SEED, options.px_per_m)
    views = query_views(place, camera, rng, options.look_alikes)
    for number, shot in enumerate(render_capture(place, views, rng, noise=NoiseOptions()), start=1):
        yield f"look-alike-{number}.jpg", shot.image
    shape = (camera.height, camera.width, 3)
    yield "blank-wall.jpg", add_noise(np.full(shape, 170, dtype=np.uint8), NoiseOptions(), rng)
    yield "noise.jpg", rng.integers(0, 256, shape, dtype=np.uint8)


def _localize(twin: Twin, scene: Path, kind: str, on_progress: Progress) -> list[Localization]:
    named, answers = _photos(scene, kind), []
    for answer in localize_images(twin, named.items(), read_cameras(scene / "cameras.csv")):
        answers.append(answer)
        on_progress(f"localize {kind}", len(answers), len(named))
    return answers


def _photos(scene: Path, kind: str) -> dict[str, Path]:
    """Return the files of a folder of photos by name."""
    return {name: scene / kind / name for name in list_images(scene / kind)}


def _report(
    out: Path, twin: Twin, answers: list[Localization], foreign: list[Localization], figures: dict[str, Any]
) -> None:
    scene, poses = out / "scene", read_poses(out / "scene" / "truth" / "queries.csv")
    truth = map(pose_from_position, poses.positions, poses.quats_xyzw)
    queries, cameras = _photos(scene, "queries"), read_cameras(scene / "cameras.csv")
    write_report(
        out / "report.html",
        twin,
        [*answers, *foreign],
        title="A parking court, mapped and found again",
        truth=dict(zip(poses.images, truth, strict=True)),
        evaluation=figures,
        images=queries | _photos(scene, "foreign"),
        foreign={answer.image for answer in foreign},
        examples=find_examples(twin, answers, queries, scene / "walk", cameras),
        files=FILES,
    )
