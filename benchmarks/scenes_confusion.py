"""Are the garages hard for the right reason? Plain localization among look-alike levels, and plain SfM of a garage."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from benchmarks.plain import localize_among, map_at_poses, map_from_images
from benchmarks.protocol import Photos
from geometry import FloorPlan, pose_from_position, position_of, read_cameras, read_true_poses
from geometry.location import locate
from perception import make_extractor, read_image
from retrieval import PlaceIndex, aggregate, train_vocabulary
from scenes import CaptureOptions, floor_plan, render_scene
from scenes.facility import Facility, Point, WalkPath
from scenes.library import facility

Array = NDArray[np.float64]

WORDS, CANDIDATES = 64, 20
NEAR_M = 1.0
VERDICTS = ("right", "twin place", "wrong level", "off", "none")
"""Near on its level; near but for the level; on a wrong level elsewhere; off on its own level or on none; refused."""
STRETCH: tuple[Point, ...] = ((12.0, 8.0), (46.0, 8.0))
"""An aisle of garage-twins."""
LOOP: tuple[Point, ...] = ((8.0, 18.0), (8.0, 28.0), (52.0, 28.0), (52.0, 8.0), (8.0, 8.0), (8.0, 17.0))
"""Both aisles of a level of garage."""
MIN_SEEN = 0.3
"""Queries show what the walk has seen, so that failing has other reasons than a place that nobody mapped."""
SEED = 0


def wrong_levels(folder: Path, *, walk: int, queries: int) -> dict[str, Any]:
    """Return what retrieval and PnP answer to photos of garage-twins; the map has true poses.

    ``wrong_share`` counts every answer on a wrong level, ``twin_share`` those of them that are right but for it, within
    ``NEAR_M`` as seen from above: the surest sign of levels that look alike.
    """
    site = _walked("garage-twins", STRETCH)
    options = CaptureOptions(captures=("walk", "queries"), walk_frames=walk, queries=queries, min_seen=MIN_SEEN)
    captured = _rendered(site, folder, options)
    mapped, asked = (captured_photos(captured, kind, captured) for kind in ("walk", "queries"))
    plain = map_at_poses(mapped, folder / "twins-map")
    found = localize_among(plain, asked, retrieved(mapped, asked), folder / "twins-map")
    poses = [None if pose is None else pose.cam_from_site for pose in found]
    plan = floor_plan(site)
    verdicts = [verdict(plan, pose, truth) for pose, truth in zip(poses, asked.positions, strict=True)]
    counts = {kind: verdicts.count(kind) for kind in VERDICTS}
    steps = np.linalg.norm(np.diff(mapped.positions, axis=0), axis=1)
    return {
        "walk": len(mapped.files),
        "step_m": float(np.median(steps)),
        "landmarks": plain.reconstruction.num_points3D(),
        "queries": len(asked.files),
        **counts,
        "wrong_share": (counts["twin place"] + counts["wrong level"]) / len(asked.files),
        "twin_share": counts["twin place"] / len(asked.files),
        "per_query": dict(zip(asked.names, verdicts, strict=True)),
    }


def verdict(plan: FloorPlan, pose: pycolmap.Rigid3d | None, truth: Array) -> str:
    """Judge a pose by the true position (3,): one of ``VERDICTS``; a pose outside every level is off."""
    if pose is None:
        return "none"
    answered = position_of(pose)
    found, true = locate(plan, np.stack([answered, truth])).level
    near = np.linalg.norm(answered[:2] - truth[:2]) <= NEAR_M
    if found == true:
        return "right" if near else "off"
    if near and found >= 0:
        return "twin place"
    return "wrong level" if found >= 0 else "off"


def placed_by_sfm(folder: Path, *, walk: int) -> dict[str, Any]:
    """Return how many pictures of a walk through garage plain incremental SfM registers, and how many in their place.

    That is within ``NEAR_M`` of the truth after the similarity that most of the largest model's pictures agree with:
    look-alike places that are folded into one are registered, and not in their place.
    """
    options = CaptureOptions(captures=("walk",), walk_frames=walk, levels=("P1",))
    scene = _rendered(_walked("garage", LOOP), folder, options)
    photos = captured_photos(scene, "walk", scene)
    plain = map_from_images(photos, folder / "garage-sfm")
    registered = {image.name: image.projection_center() for image in plain.reconstruction.images.values()}
    steps = np.linalg.norm(np.diff(photos.positions, axis=0), axis=1)
    placed = _in_place(plain.reconstruction, registered, dict(zip(photos.names, photos.positions, strict=True)))
    return {
        "walk": len(photos.files),
        "step_m": float(np.median(steps)),
        "registered": len(registered),
        "registered_share": len(registered) / len(photos.files),
        "placed": placed,
        "placed_share": placed / len(photos.files),
        "seconds": plain.seconds,
    }


def _in_place(model: pycolmap.Reconstruction, found: Mapping[str, Array], true: Mapping[str, Array]) -> int:
    """Return how many images are near their true position after the best robust similarity."""
    names = list(found)
    targets = np.array([true[name] for name in names])
    site_from_model = most_agreed(model, true)
    if site_from_model is None:
        return 0
    centres = np.array([site_from_model * found[name] for name in names])
    return int((np.linalg.norm(centres - targets, axis=1) < NEAR_M).sum())


def most_agreed(model: pycolmap.Reconstruction, true: Mapping[str, Array]) -> pycolmap.Sim3d | None:
    """Return the similarity that brings most images of a model near their true positions, None if none does."""
    names = [image.name for image in model.images.values()]
    if len(names) < 3:
        return None
    options = pycolmap.RANSACOptions(max_error=NEAR_M, random_seed=SEED)
    targets = np.array([true[name] for name in names])
    found: pycolmap.Sim3d | None = pycolmap.align_reconstruction_to_locations(model, names, targets, 3, options)
    return found


def retrieved(mapped: Photos, asked: Photos) -> dict[str, list[str]]:
    """Return for each query the names of the ``CANDIDATES`` map images that look most alike, by VLAD of SIFT."""
    extractor = make_extractor("sift")
    local = {name: [extractor.extract(read_image(file).gray).descriptors for file in photos.files]
             for name, photos in (("map", mapped), ("queries", asked))}  # fmt: skip
    vocabulary = train_vocabulary(np.concatenate(local["map"]), WORDS, np.random.default_rng(SEED))
    vectors = {name: np.stack([aggregate(vocabulary, found) for found in each]) for name, each in local.items()}
    ids, _ = PlaceIndex(vectors["map"]).search(vectors["queries"], min(CANDIDATES, len(mapped.files)))
    return {query: [mapped.names[i] for i in row.tolist()] for query, row in zip(asked.names, ids, strict=True)}


def _walked(name: str, line: tuple[Point, ...]) -> Facility:
    """Return a library scene with one walk a level, one way along ``line``: few pictures are dense there."""
    site = facility(name)
    walks = [WalkPath(id=f"{level.id}-stretch", level=level.id, line=line, both_ways=False) for level in site.levels]
    return site.model_copy(update={"walks": tuple(walks)})


def _rendered(site: Facility, folder: Path, options: CaptureOptions) -> Path:
    render_scene(site, folder / site.name, options)
    return folder / site.name


def captured_photos(scene: Path, kind: str, into: Path) -> Photos:
    """Return the photos of a capture, copied into a folder so that those of two captures have different names."""
    truth = read_true_poses(scene / "truth" / f"{kind}.csv")
    poses = zip(truth.positions, truth.quats_xyzw, strict=True)
    named = into / f"named-{kind}"
    named.mkdir(parents=True, exist_ok=True)
    files = [Path(shutil.copyfile(scene / kind / image, named / f"{kind}-{image}")) for image in truth.images]
    return Photos(
        place=scene.name,
        files=tuple(files),
        camera=read_cameras(scene / "cameras.csv")[0].camera,
        cams_from_site=tuple(pose_from_position(position, quat) for position, quat in poses),
    )
