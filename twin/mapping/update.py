"""From an old twin and a folder of photos to the next version of it, in the same frame.

Photos that are in the folder and not in the old twin enter, those that are in the twin and no longer in the folder
leave. The poses of the others stay to the last digit, and with them the frame of the site.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry import FloorPlan, InputError, import_plan
from perception import TextReader, make_extractor, make_matcher
from twin.landmarks import Landmarks, landmarks_from, only, with_weights_of
from twin.map_uncertainty import MapUncertainty
from twin.mapping.capture import MapInputs, read_capture
from twin.mapping.correspondence import Recipe, extract_features
from twin.mapping.differences import differences
from twin.mapping.finishing import PlacedMap, finish, workspace_for
from twin.mapping.growing import Material, covariances_of_new
from twin.mapping.kept import REMOVED, Kept, keep, lens_of
from twin.mapping.options import MapOptions
from twin.mapping.placing import MAX_SHIFT_DEG, MAX_SHIFT_M, Placed, place
from twin.mapping.presence import dimming, presence, sightings
from twin.model import UPDATE_FILE, Twin
from twin.progress import Progress, silent
from twin.store import require_replaceable

Array = NDArray[np.float64]

CHANGED = 0.5
"""A landmark that is less probably there has vanished, one that was less probably there before has appeared."""
FORGOTTEN = 0.05
"""A landmark that is less probably there is taken out of the map."""


def update_map(
    inputs: MapInputs,
    old: Path,
    target: Path,
    options: MapOptions | None = None,
    on_progress: Progress = silent,
) -> dict[str, Any]:
    """Publish the next version of the twin ``old`` at ``target``, which may be the same; return its quality.json.

    ``inputs.images`` holds the photos that the map is to be of. What ties a map to its site can't be given again. The
    old twin is only read; it is replaced in one step where ``target`` is the same.

    Raises ``TwinError`` for an old twin that can't be read, ``InputError`` for what does not go together,
    ``CancelledError`` when ``on_progress`` asks to stop.
    """
    options = options or MapOptions()
    target = target.resolve()
    require_replaceable(target)
    twin = Twin.open(old.resolve(), verify=True)
    extractor, matcher = _require_update(inputs, twin, options)
    capture = read_capture(inputs.images, inputs.cameras, inputs.poses)
    earth = options.georeference or twin.georeference
    if "signs" in options.parts:
        TextReader()
    before = json.loads((twin.folder / "quality.json").read_text("utf-8"))
    plan = _plan_to_keep(twin, before)
    if inputs.plan is not None:
        plan = import_plan(inputs.plan, layers=inputs.layers, georeference=earth)
    with workspace_for(target, options) as workspace:
        recipe = Recipe(make_extractor(extractor), make_matcher(matcher), key=f"{extractor} {matcher}")
        capture, features = extract_features(capture, recipe, workspace, on_progress)
        by_name = dict(zip(capture.names, features, strict=True))
        kept = keep(twin, capture, by_name)
        material = Material(
            capture=capture,
            features=by_name,
            recipe=recipe,
            upright=twin.is_in_site,
            workspace=workspace,
            on_progress=on_progress,
        )
        placed = place(twin, kept, material)
        landmarks = with_weights_of(landmarks_from(kept.model, by_name, kept.landmarks.kind), kept.landmarks)
        landmarks, changes = _changed(twin, kept, placed, landmarks)
        lenses = {
            lens: capture.lenses[camera] for camera, lens in lens_of(kept.model, capture, twin.manifest.lenses).items()
        }
        used = {image.camera_id for image in kept.model.images.values() if image.has_pose}
        update = _told(twin, kept, placed, landmarks, changes)
        report = {"alignment": before.get("alignment"), "folded": before.get("folded", []), "update": update["photos"]}
        new = PlacedMap(
            folder=capture.folder,
            model=kept.model,
            landmarks=landmarks,
            features=by_name,
            vocabulary=twin.vocabulary,
            frame=twin.manifest.frame,
            covariances=_covariances(twin, kept, placed, landmarks),
            not_placed=capture.refused | placed.refused,
            lenses={lens: key for lens, key in sorted((twin.manifest.lenses | lenses).items()) if lens in used},
            poses=str(twin.manifest.mapping.get("poses", "none")),
            extractor=extractor,
            matcher=matcher,
            tags=twin.tags,
            plan=plan,
            georeference=earth,
            version=twin.manifest.version + 1,
            report=report,
            update=update,
        )
        return finish(new, target, options, workspace, on_progress)


def _require_update(inputs: MapInputs, twin: Twin, options: MapOptions) -> tuple[str, str]:
    """Return the names of the twin's extractor and matcher; raise ``InputError`` for what an update can't take."""
    given = {"control": inputs.control, "marks": inputs.marks, "tags": inputs.tags, "plan-control": inputs.plan_control}
    wrong = [f"--{name}" for name, value in given.items() if value is not None]
    wrong += ["--refine-lens"] * options.refine_lens
    if wrong:
        raise InputError(
            f"{', '.join(wrong)} can't be given with --update, which keeps the frame and the lenses of the old twin",
            where=str(twin.folder),
            remedy="Leave them out, or map anew without --update.",
        )
    if not twin.manifest.frame.metric:
        raise InputError(
            "the old twin has no scale, and what can be seen from where is reckoned in metres",
            where=str(twin.folder),
            remedy="Map anew with --poses, --control and --marks, or --tags; then it can be updated.",
        )
    extractor = str(twin.manifest.features["extractor"])
    matcher = str(twin.manifest.mapping.get("matcher", MapOptions.matcher))
    if options.extractor not in (extractor, MapOptions.extractor):
        raise InputError(
            f"the old twin's features are {extractor}, not {options.extractor}",
            where=str(twin.folder),
            remedy="Leave out --features, or map anew without --update.",
        )
    if options.matcher not in (matcher, MapOptions.matcher):
        raise InputError(
            f"the old twin's features are matched by {matcher}, not by {options.matcher}",
            where=str(twin.folder),
            remedy="Leave out --matcher, or map anew without --update.",
        )
    return extractor, matcher


def _plan_to_keep(twin: Twin, before: dict[str, Any]) -> FloorPlan | None:
    """Return the old twin's plan, None for one that its map had proposed: the new one will propose its own."""
    proposed = before.get("plan", {}).get("source") == "proposed"
    return None if proposed else twin.plan


def _changed(twin: Twin, kept: Kept, placed: Placed, landmarks: Landmarks) -> tuple[Landmarks, dict[str, Any]]:
    """Return the landmarks with the weights that the new photos give, without forgotten ones, and what changed."""
    new = np.isin(landmarks.views, placed.names)
    surface = twin.surface
    before = sightings(landmarks, kept.model, ~new, surface)
    after = sightings(landmarks, kept.model, new, surface)
    was, now = before.found > 0.0, after.found > 0.0
    dimmed, brightened = dimming(before.of(was), after.of(was)), dimming(after.of(now), before.of(now))
    known, points = landmarks.presence.astype(np.float64), np.asarray(landmarks.points)
    weights, earlier = known.copy(), np.ones(len(landmarks))
    weights[was] = presence(known[was], points[was], before.of(was), after.of(was), dimmed)
    earlier[now] = presence(earlier[now], points[now], after.of(now), before.of(now), brightened)
    vanished, appeared = (known >= CHANGED) & (weights < CHANGED), ~was & (earlier < CHANGED)
    found = differences(landmarks, vanished, appeared, _levels(twin))
    forgotten = weights < FORGOTTEN
    changes = {
        "landmarks": {
            "kept": int((was & ~forgotten).sum()),
            "seen_again": int((was & now).sum()),
            "new": int((~was).sum()),
            "appeared": int(appeared.sum()),
            "vanished": int(vanished.sum()),
            "forgotten": int(forgotten.sum()),
            "left_with_photos": len(twin.landmarks) - len(kept.landmarks),
        },
        "appeared": found.appeared,
        "vanished": found.vanished,
        "moved": found.moved,
    }
    return only(replace(landmarks, weights=weights.astype(np.float32)), ~forgotten), changes


def _levels(twin: Twin) -> Sequence[tuple[str, float]]:
    if not twin.is_in_site:
        return ()
    if twin.plan is not None:
        return sorted(((level.id, level.elevation) for level in twin.plan.levels), key=lambda level: level[1])
    floors = () if twin.floors is None else twin.floors.levels
    return sorted(((level.name, level.elevation) for level in floors), key=lambda level: level[1])


def _covariances(twin: Twin, kept: Kept, placed: Placed, landmarks: Landmarks) -> dict[str, Array]:
    """Return the covariances (6, 6) of the poses by name: the old ones, and for new photos their own and the map's."""
    rows = {name: row for row, name in enumerate(twin.landmarks.views)}
    old = [name for name in landmarks.views if name in rows and name not in placed.names]
    free = placed.freedom(placed.names)
    if twin.view_covariances is None and not free.photos:
        return {}
    known = np.zeros((len(rows), 6, 6)) if twin.view_covariances is None else twin.view_covariances
    found = {name: np.array(known[rows[name]]) for name in old} | {name: np.zeros((6, 6)) for name in placed.exact}
    poses = [kept.model.find_image_with_name(name).cam_from_world() for name in old]
    around = MapUncertainty.of(poses, [found[name] for name in old], None, None)
    own = covariances_of_new(kept.model, free)
    unsure = np.diag(np.repeat([np.radians(MAX_SHIFT_DEG), MAX_SHIFT_M], 3) ** 2)
    view, index = landmarks.view_of_observation(), np.asarray(landmarks.landmark)
    at = np.array([landmarks.views.index(name) for name in old])
    for name in free.photos:
        sees = np.zeros(len(landmarks), dtype=bool)
        sees[index[view == landmarks.views.index(name)]] = True
        shared = np.bincount(view[sees[index]], minlength=len(landmarks.views))[at]
        pose = kept.model.find_image_with_name(name).cam_from_world()
        found[name] = own.get(name, unsure) + around.pose_covariance(pose, shared)
    return found


def _told(twin: Twin, kept: Kept, placed: Placed, landmarks: Landmarks, changes: dict[str, Any]) -> dict[str, Any]:
    """Return what update.json says."""
    path = twin.folder / UPDATE_FILE
    last = json.loads(path.read_text("utf-8")) if path.exists() else None
    history = [] if last is None else [*last["history"], {key: last[key] for key in ("version", "created", "photos")}]
    lost = sorted(kept.again - set(placed.names))
    shifts = [
        np.linalg.norm(kept.model.find_image_with_name(name).projection_center() - centre)
        for name, centre in zip(twin.landmarks.views, twin.view_positions, strict=True)
        if name in landmarks.views and name not in placed.names
    ]
    return {
        "version": twin.manifest.version + 1,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "from": {"name": twin.manifest.name, "version": twin.manifest.version, "created": twin.manifest.created},
        "photos": {
            "kept": len(shifts),
            "entered": sorted(set(placed.names) - kept.again),
            "placed_again": sorted(kept.again.intersection(placed.names)),
            "left": kept.gone | {name: placed.refused.get(name, REMOVED) for name in lost},
            "not_placed": {name: reason for name, reason in placed.refused.items() if name not in kept.again},
            "kept_shift_m": float(max(shifts, default=0.0)),
        },
        **changes,
        "history": history,
    }
