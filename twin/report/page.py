"""The report: one HTML file without scripts or anything to load, readable on paper, by phone and by screen reader."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pycolmap

from geometry import TwinDamagedError, write_atomic
from twin.floor_pictures import floor_pictures
from twin.localization import Localization
from twin.model import Twin
from twin.report import charts, units
from twin.report.examples import MatchExample
from twin.report.facts import evaluation_facts, facility_facts, map_facts
from twin.report.figures import Row, headlines, rows_of
from twin.report.pictures import FLOOR_PX, THUMBNAIL_PX, draw_matches, embed, embed_picture
from twin.report.plan import Plan, draw_plan, half_view_of

COMMANDS = (
    "tiepoint map photos/ --out my-site --poses poses.csv",
    "tiepoint localize my-site queries/ --out localizations.jsonl",
    "tiepoint evaluate localization localizations.jsonl truth.csv",
)
"""How to do the same with one's own photos."""
MAX_THUMBNAILS = 400
"""More photos than this keep the page below a few megabytes only without their pictures."""


def write_report(
    path: Path,
    twin: Twin,
    answers: Sequence[Localization],
    *,
    title: str | None = None,
    truth: Mapping[str, pycolmap.Rigid3d] | None = None,
    evaluation: Mapping[str, Any] | None = None,
    images: Mapping[str, Path] | None = None,
    foreign: Collection[str] = (),
    examples: Sequence[MatchExample] = (),
    files: Mapping[str, str] | None = None,
    commands: Sequence[str] = COMMANDS,
) -> None:
    """Write a self-contained HTML page on the answers that a twin gave, atomically.

    truth: true ``cam_from_site`` by image name, for errors and coverage; evaluation: what ``evaluate_localization``
    returned; images: files of the photos by name, for thumbnails; foreign: names of photos of other places, which
    must be refused; examples: from ``find_examples``; files: what was written, with a description.

    Raises ``TwinDamagedError`` where the twin's quality.json can't be read. Names are taken as hostile text.
    """
    rows = rows_of(answers, truth, foreign)
    quality = _read_quality(twin.folder)
    plan = _plan(twin, rows)
    page = environment().get_template("page.html")
    content = page.render(
        title=title or f"Where {len(answers)} photos were taken",
        twin=twin.manifest,
        headlines=headlines(rows),
        plan=plan,
        heights=[f"{round(height, 1) + 0.0:g}" for height in plan.heights[[0, -1]]],
        honesty=charts.draw_honesty(rows),
        errors=charts.draw_errors(rows),
        rows=[(row, _thumbnail(row, images or {}) if len(rows) <= MAX_THUMBNAILS else None) for row in rows],
        judged=any(row.judged for row in rows),
        wrong=any(row.wrong for row in rows),
        levels=any(row.answer.level for row in rows),
        evaluation=evaluation_facts(evaluation) if evaluation else [],
        examples=[(example, drawing) for example in examples if (drawing := draw_matches(example)) is not None],
        quality=map_facts(quality),
        floors=[(level, embed_picture(picture, FLOOR_PX)) for level, picture in floor_pictures(twin)],
        facility=facility_facts(quality),
        disagreements=quality.get("plan", {}).get("disagreements", []),
        not_placed=quality["images"]["not_placed"],
        tracks=charts.draw_histogram(
            quality["landmarks"]["track_length"]["histogram"], ("images that see it", "landmarks")
        ),
        files=files or {},
        commands=commands,
    )
    write_atomic(path, content.encode())


def _read_quality(folder: Path) -> dict[str, Any]:
    path = folder / "quality.json"
    try:
        quality: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TwinDamagedError(f"unreadable ({error})", where=str(path), remedy="Map again.") from error
    return quality


def _plan(twin: Twin, rows: Sequence[Row]) -> Plan:
    names = sorted(twin.view_poses)
    cameras = {image.name: image.camera for image in twin.reconstruction.images.values()}
    return draw_plan(
        np.asarray(twin.landmarks.points),
        [twin.view_poses[name] for name in names],
        [half_view_of(cameras[name]) for name in names],
        rows,
        "m" if twin.manifest.frame.metric else "units",
    )


def _thumbnail(row: Row, images: Mapping[str, Path]) -> str | None:
    path = images.get(row.answer.image)
    embedded = embed(path, row.answer.image, THUMBNAIL_PX) if path else None
    return embedded[0] if embedded else None


def environment() -> jinja2.Environment:
    """Return the environment of the report's templates."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = {"metres": units.length, "angle": units.angle, "share": units.share, "seconds": units.seconds}
    environment.filters.update(shown)
    return environment
