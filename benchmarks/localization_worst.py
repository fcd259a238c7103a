"""The ten worst answers of a case as a page: the photo, what the map saw where it was placed and was, and why."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pycolmap
from jinja2 import Environment

from benchmarks.localization_cases import WRONG_M, Asked, storeys_of
from geometry import pose_error, position_of, write_atomic
from twin import Twin
from twin.report.pictures import embed

COUNT = 10
SIZE = (400, 300)
METRES_A_RADIAN = 5.0
"""How much a turn counts against a distance when a view from nearly there is looked for."""

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Worst answers: {{ title }}</title>
<style>body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:1260px;padding:0 1rem}
article{margin:0 0 2rem}div{display:flex;gap:10px;flex-wrap:wrap}figure{margin:0}img{display:block}
figcaption{color:#555;font-size:13px}</style>
<h1>Worst answers: {{ title }}</h1>
<p>Wrong and sure first, the surest of them first; then what was refused though the walk saw its view.</p>
{% for row in rows %}<article><h2>{{ loop.index }}. {{ row.image }}: {{ row.verdict }}</h2><p>{{ row.why }}</p><div>
{% for name, source in row.pictures %}{% if source %}<figure><img src="{{ source }}" alt="{{ name }}">
<figcaption>{{ name }}</figcaption></figure>{% endif %}{% endfor %}</div></article>{% endfor %}</html>
"""


def write_worst(path: Path, asked: Sequence[Asked], twin: Twin, scene: Path) -> None:
    """Write a page that needs no other file. ``scene`` holds the photos and the walk."""
    rows = [_row(each, twin, scene) for each in worst(asked)]
    page = Environment(autoescape=True).from_string(PAGE).render(title=scene.name, rows=rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, page.encode("utf-8"))


def worst(asked: Sequence[Asked], count: int = COUNT) -> list[Asked]:
    """Return the worst answers, the worst first; right ones and rightly refused ones are not among them."""
    bad = [(_badness(each), -number, each) for number, each in enumerate(asked)]
    return [each for badness, _, each in sorted(bad, key=lambda b: b[:2], reverse=True)[:count] if badness > 0.0]


def _badness(asked: Asked) -> float:
    if asked.answered:
        return 1.0 + asked.confidence if pose_error(asked.best, asked.true)[0] > WRONG_M else 0.0
    return asked.seen_fraction * (asked.evidence_px > 0)


def _row(asked: Asked, twin: Twin, scene: Path) -> dict[str, object]:
    if asked.choice is None:
        verdict, poses = "no pose competes", {}
    else:
        metres, degrees = pose_error(asked.best, asked.true)
        status = "answered" if asked.answered else "refused, best pose"
        verdict = f"{status} {metres:.2f} m and {degrees:.1f} deg off, confidence {asked.confidence:.2f}"
        poses = {f"map, at the pose ({storeys_of(twin, [asked.best])[0] or 'no level'})": asked.best}
    poses[f"map, where it was taken ({asked.level})"] = asked.true
    shown = {"the photo": scene / "queries" / asked.image}
    shown |= {f"{name}: {view}": scene / "walk" / view for name, pose in poses.items() for view in [_view(pose, twin)]}
    embedded = [(name, embed(file, file.name, SIZE)) for name, file in shown.items()]
    return {
        "image": asked.image,
        "verdict": verdict,
        "why": asked.answer.reason or f"{asked.seen_fraction:.0%} of it seen by the walk",
        "pictures": [(name, found[0] if found else None) for name, found in embedded],
    }


def _view(pose: pycolmap.Rigid3d, twin: Twin) -> str:
    """Return the name of the map's photo from nearly there."""
    names = list(twin.landmarks.views)
    eyes = np.array([position_of(twin.view_poses[name]) for name in names])
    turns = np.array([pose_error(twin.view_poses[name], pose)[1] for name in names])
    return names[int((np.linalg.norm(eyes - position_of(pose), axis=1) + METRES_A_RADIAN * np.radians(turns)).argmin())]
