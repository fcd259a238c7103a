"""Signs found in a rendered scene's walk, against its truth: places, texts, claimed probabilities, seconds.

A sign is *seen* by a photo if its centre projects inside, the photo is nearer than 8 m and within 60 degrees of the
normal, and a ray from the photo meets nothing before the board, in the scene as it stood on the day of the walk. What
counts is signs seen by three photos; walks with a photo every two metres seldom come so near, so that signs seen within
15 m are given beside them. Texts are compared by letters and digits, without case, spaces and arrows. Claims
are landmarks that aren't called vehicles; one is wrong if nothing that says so is there: no board, pillar, door, stall.

    python -m benchmarks.surfaces_signs SCENE [--twin TWIN] [--seed N]
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocol import spread
from benchmarks.surfaces_views import true_photos
from geometry import FloorPlan, calibration, position_of, project, read_plan, transform_points
from geometry.floorplan import Sign as PlanSign
from perception.reading import ReaderOptions, TextReader, fold_text
from scenes.building import build_facility
from scenes.building.boards import board_of
from scenes.captures.day import SURVEY_DAY, draw_day, shapes_of
from scenes.captures.render_scene import SURVEY_STREAM, raycaster_of
from scenes.description import read_facility
from scenes.facility import Door, Facility, Fixture, Mounted, Sign
from scenes.rendering.raycasting import blocked
from twin import Twin
from twin.photos import MapPhoto, photos_of
from twin.signs import SignLandmark, SignOptions, place_signs, read_photos

Array = NDArray[np.float64]

SEEN_M, FAR_M, SEEN_DEG, SEEN_BY = 8.0, 15.0, 60.0, 3
NEAR_M = 0.2
CLAIMED, REPORTED = 0.9, 0.5
"""Text probability from which a wrong text counts against us, and from which a right one counts for us."""
BEFORE_M = 0.15
"""A ray ends this far before a board's middle, which is half its depth behind its face."""


@dataclass(frozen=True, kw_only=True)
class TrueText:
    """A text of the scene, folded: a landmark within ``reach`` metres of ``position`` (3,) may say so."""

    text: str
    position: Array
    reach: float


def measure_signs(
    scene_folder: Path,
    photos: Sequence[MapPhoto],
    *,
    seed: int | None = None,
    reader: TextReader | None = None,
    options: SignOptions | None = None,
) -> dict[str, Any]:
    """Find the signs of a rendered scene in photos of its walk and judge them; ``seed`` is that of the rendering.

    Without ``seed`` the vehicles of the day are not known, and signs that they hide count as seen. The plan that signs
    are found with is the scene's, without its signs.
    """
    plan = read_plan(scene_folder / "plan.json")
    facility = read_facility(scene_folder / "scene.yaml")
    reader = reader or TextReader(ReaderOptions(threads=2))
    started, worked = time.perf_counter(), time.process_time()
    readings = read_photos(photos, reader)
    reading_cpu_seconds = time.process_time() - worked
    reading_seconds = time.perf_counter() - started
    landmarks = place_signs(photos, readings, plan.model_copy(update={"signs": ()}), options)
    placing_seconds = time.perf_counter() - started - reading_seconds
    return {
        "photos": len(photos),
        "readings": len(readings),
        "reading_seconds": reading_seconds,
        "reading_cpu_seconds": reading_cpu_seconds,
        "placing_seconds": placing_seconds,
        **judge_signs(landmarks, plan, facility, photos, seed),
        "landmarks": [landmark.to_dict() for landmark in landmarks],
    }


def judge_signs(
    landmarks: Sequence[SignLandmark],
    plan: FloorPlan,
    facility: Facility,
    photos: Sequence[MapPhoto],
    seed: int | None,
) -> dict[str, Any]:
    """Return the figures of landmarks: signs found of those seen, and wrong texts of those claimed."""
    raycaster = _raycaster(facility, plan, seed)
    views, far = (views_of_signs(plan.signs, photos, raycaster, reach).tolist() for reach in (SEEN_M, FAR_M))
    rows = [
        {"views": near, "views_far": all_views} | _judge_sign(sign, landmarks)
        for sign, near, all_views in zip(plan.signs, views, far, strict=True)
    ]
    found = [row for row in rows if row["found"]]
    fixed = [landmark for landmark in landmarks if landmark.permanent]
    texts, prints = true_texts(facility, plan), _small_prints(facility)
    judged = [one for one in fixed if not any(_at(one, place) for place in prints)]
    right = np.array([any(fold_text(one.text) == t.text and _at(one, t) for t in texts) for one in judged], dtype=bool)
    claimed = np.array([one.probability >= CLAIMED for one in judged], dtype=bool)
    placed = [row for row in rows if row["landmark"] is not None]
    honest = _honesty(placed)
    return {
        "signs": len(rows),
        "found": len(found),
        "of_seen": _share(rows, "views"),
        "of_seen_far": _share(rows, "views_far"),
        "error_m": spread([row["error_m"] for row in found]) if found else None,
        "normal_error_deg": spread([row["normal_error_deg"] for row in found]) if found else None,
        "size_error_m": spread([row["size_error_m"] for row in found]) if found else None,
        "position_nees": honest,
        "claimed": int(claimed.sum()),
        "claimed_wrong": int((claimed & ~right).sum()),
        "wrong": [one.to_dict() for one, good, sure in zip(judged, right, claimed, strict=True) if sure and not good],
        "reliability": _reliability(np.array([one.probability for one in judged]), right),
        "called_vehicles": sum(not landmark.permanent for landmark in landmarks),
        "per_sign": [{key: value for key, value in row.items() if key != "landmark"} for row in rows],
    }


def views_of_signs(
    signs: Sequence[PlanSign], photos: Sequence[MapPhoto], raycaster: Any, reach: float = SEEN_M
) -> NDArray[np.int64]:
    """Return how many photos see each sign (S,) from within ``reach`` metres."""
    counts = np.zeros(len(signs), dtype=np.int64)
    if not len(signs):
        return counts
    centres, normals = _centres(signs), np.array([sign.normal for sign in signs])
    for photo in photos:
        eye = position_of(photo.cam_from_site)
        towards = eye - centres
        distance = np.linalg.norm(towards, axis=1)
        pixels, valid = project(photo.camera, transform_points(photo.cam_from_site, centres))
        inside = ((pixels > 0) & (pixels < [photo.camera.width, photo.camera.height])).all(axis=1)
        facing = (towards * normals).sum(axis=1) > np.cos(np.radians(SEEN_DEG)) * distance
        candidates = np.flatnonzero(valid & inside & facing & (distance < reach))
        ends = centres[candidates] + BEFORE_M * normals[candidates]
        if len(candidates):
            hidden = blocked(raycaster, eye.astype(np.float32), (ends - eye).astype(np.float32), 1.0)
            counts[candidates] += ~hidden
    return counts


def true_texts(facility: Facility, plan: FloorPlan) -> list[TrueText]:
    """Return all texts that belong to the scene: boards, on both faces, pillars, doors, fixtures, stall numbers."""
    floors = {level.id: level.elevation for level in facility.levels}
    levels = {level.id: level for level in facility.levels}
    boards: list[Sign | Door | Fixture] = [*facility.signs, *facility.doors, *facility.fixtures]
    found = []
    for each in boards:
        middle = np.array(board_of(each, levels[each.level]).middle)
        found.append(TrueText(text=fold_text(each.text), position=middle, reach=_reach(each)))
    for pillar in facility.pillars:
        middle = np.array([*pillar.at, floors[pillar.level] + 1.5])
        found.append(TrueText(text=fold_text(pillar.text), position=middle, reach=0.3 + max(pillar.size)))
    for stall in plan.stalls:
        place = np.array([stall.polygon.centroid.x, stall.polygon.centroid.y, floors[stall.level]])
        found.append(TrueText(text=stall.id[-2:], position=place, reach=3.0))
    return [text for text in found if text.text]


def _share(rows: Sequence[dict[str, Any]], views: str) -> dict[str, Any]:
    """Return how many signs are seen by enough photos, how many of these are found, and their share."""
    seen = [row for row in rows if row[views] >= SEEN_BY]
    found = sum(row["found"] for row in seen)
    return {"seen": len(seen), "found": found, "share": found / len(seen) if seen else None}


def _judge_sign(sign: PlanSign, landmarks: Sequence[SignLandmark]) -> dict[str, Any]:
    centre, normal = np.array(sign.position.coords[0]), np.array(sign.normal)
    same = [
        one
        for one in landmarks
        if one.permanent and one.probability >= REPORTED and fold_text(one.text) == fold_text(sign.text)
    ]
    near = [one for one in same if normal @ one.normal > 0]
    errors = [float(np.linalg.norm(centre - one.position)) for one in near]
    best = int(np.argmin(errors)) if errors and min(errors) < 1.0 else None
    row: dict[str, Any] = {"id": sign.id, "text": sign.text, "found": False, "landmark": None}
    if best is None:
        return row
    one = near[best]
    size = np.array([one.width - sign.width, one.height - sign.height])
    cosine = float(np.clip(normal @ one.normal, -1, 1))
    return row | {
        "found": errors[best] < NEAR_M,
        "error_m": errors[best],
        "error": (centre - one.position).tolist(),
        "covariance": one.covariance,
        "normal_error_deg": float(np.degrees(np.arccos(cosine))),
        "size_error_m": float(np.abs(size).max()),
        "kind": one.kind,
        "level_right": one.level == sign.level,
        "probability": one.probability,
        "views_read": one.views,
        "landmark": one,
    }


def _honesty(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return whether errors of positions are as large as claimed."""
    if not rows:
        return None
    judged = calibration(np.array([row["error"] for row in rows]), np.array([row["covariance"] for row in rows]))
    return {"coverage": {f"{p:g}": share for p, share in judged.coverage.items()}, "mean_nees": judged.mean_nees}


def _reliability(probability: Array, right: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return claimed and real share of right texts by bins of probability."""
    bins = [(0.0, 0.5), (0.5, 0.8), (0.8, 0.9), (0.9, 0.99), (0.99, 1.01)]
    rows = []
    for low, high in bins:
        inside = (probability >= low) & (probability < high)
        if inside.any():
            claimed, real = float(probability[inside].mean()), float(right[inside].mean())
            rows.append({"from": low, "count": int(inside.sum()), "claimed": claimed, "right": real})
    return rows


def _at(landmark: SignLandmark, place: TrueText) -> bool:
    return bool(np.linalg.norm(np.array(landmark.position) - place.position) < place.reach)


def _small_prints(facility: Facility) -> list[TrueText]:
    """Return where print of random words is, which isn't judged."""
    levels = {level.id: level for level in facility.levels}
    return [
        TrueText(text="", position=np.array(board_of(each, levels[each.level]).middle), reach=_reach(each))
        for each in facility.fixtures
        if each.kind in ("poster", "notice")
    ]


def _reach(mounted: Mounted) -> float:
    return 0.3 + float(np.hypot(*mounted.size)) / 2


def _centres(signs: Sequence[PlanSign]) -> Array:
    return np.array([sign.position.coords[0] for sign in signs], dtype=np.float64).reshape(-1, 3)


def _raycaster(facility: Facility, plan: FloorPlan, seed: int | None) -> Any:
    """Return a ray caster of the scene, with what stood there on the day of the walk where the seed is known."""
    building = build_facility(facility)
    if seed is None:
        return raycaster_of(building.shapes, ())
    day = draw_day(facility, plan, building, np.random.default_rng([seed, SURVEY_STREAM]), SURVEY_DAY)
    return raycaster_of(shapes_of(facility, building, day), day.instances)


def main(arguments: Sequence[str] | None = None) -> None:
    """Find, judge and print, at the poses of a twin or at the true ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", type=Path)
    parser.add_argument("--twin", type=Path)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    photos = true_photos(given.scene)
    if given.twin is not None:
        photos = photos_of(Twin.open(given.twin).reconstruction, given.scene / "walk")
    found = measure_signs(given.scene, photos, seed=given.seed, reader=TextReader(ReaderOptions(threads=given.threads)))
    if given.out is not None:
        given.out.write_text(json.dumps(found, indent=1))
    print(json.dumps({key: value for key, value in found.items() if key not in ("landmarks", "per_sign")}, indent=1))
    for row in found["per_sign"]:
        print({key: value for key, value in row.items() if key not in ("covariance", "error")})


if __name__ == "__main__":
    main()
