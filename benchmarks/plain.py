"""The plain pycolmap pipeline to compare with: SIFT, every pair matched, COLMAP's own mapping, and PnP on all matches.

Nothing is tuned, for or against: COLMAP's defaults, the same two threads and the same true intrinsics as ours.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from benchmarks.protocol import THREADS, Photos

CPU = pycolmap.Device.cpu
Pairs = Mapping[str, Sequence[str]]
"""Names of images that an image is matched with, by its name."""


@dataclass(frozen=True, kw_only=True)
class PlainMap:
    """A reconstruction with the database that it was made from."""

    reconstruction: pycolmap.Reconstruction
    database: Path
    seconds: float

    @cached_property
    def points(self) -> dict[int, NDArray[np.int64]]:
        """By image id, the id of the 3D point (K,) of each keypoint, -1 where there is none."""
        return {image_id: _point_ids(image) for image_id, image in self.reconstruction.images.items()}


@dataclass(frozen=True, kw_only=True)
class PlainPose:
    """A pose that PnP found, and how many matches agree with it."""

    cam_from_site: pycolmap.Rigid3d
    inliers: int


def map_at_poses(photos: Photos, folder: Path, pairs: Pairs | None = None) -> PlainMap:
    """Match the pairs, every one unless they are named, and triangulate at the true poses.

    A folder that ``map_from_images`` has used already has its features and matches, which are not computed again.
    """
    start = time.perf_counter()
    database = _matched(photos, folder, pairs)
    skeleton = pycolmap.Reconstruction()
    with pycolmap.Database.open(database) as opened:
        camera = opened.read_all_cameras()[0]
        skeleton.add_camera_with_trivial_rig(camera)
        ids = {image.name: image.image_id for image in opened.read_all_images()}
        for name, pose in zip(photos.names, photos.cams_from_site, strict=True):
            keypoints = opened.read_keypoints(ids[name])[:, :2].astype(np.float64)
            image = pycolmap.Image(name=name, image_id=ids[name], camera_id=camera.camera_id, keypoints=keypoints)
            skeleton.add_image_with_trivial_frame(image, pose)
    options = pycolmap.IncrementalPipelineOptions(num_threads=THREADS, extract_colors=False)
    model = pycolmap.triangulate_points(
        skeleton, database, photos.files[0].parent, _made(folder / "model"), options=options
    )
    return PlainMap(reconstruction=model, database=database, seconds=time.perf_counter() - start)


def map_from_images(photos: Photos, folder: Path, pairs: Pairs | None = None) -> PlainMap:
    """Match the pairs, every one unless they are named, and run incremental SfM with the intrinsics held.

    The largest model counts, an empty one if there is none.
    """
    start = time.perf_counter()
    database = _matched(photos, folder, pairs)
    options = pycolmap.IncrementalPipelineOptions(num_threads=THREADS, extract_colors=False)
    options.ba_refine_focal_length = options.ba_refine_extra_params = False
    options.random_seed = 0
    models = pycolmap.incremental_mapping(database, photos.files[0].parent, _made(folder / "model"), options)
    largest = max(models.values(), key=lambda model: model.num_reg_images(), default=pycolmap.Reconstruction())
    return PlainMap(reconstruction=largest, database=database, seconds=time.perf_counter() - start)


def localize(
    plain: PlainMap, queries: Photos, folder: Path
) -> tuple[list[pycolmap.Rigid3d | None], NDArray[np.float64], float]:
    """Localize queries one by one in a ``map_at_poses``: poses, seconds (N,), and seconds a query of all in one batch.

    A query is matched with all map images; every match with a keypoint that has a 3D point goes into LO-RANSAC and
    refinement. COLMAP indexes the map's descriptors anew in every call, which a batch does once: hence both times.
    """
    scratch = folder / "queries.db"
    _localize_batch(plain, queries, queries.names[:1], scratch)  # warm-up
    single = [_localize_batch(plain, queries, [name], scratch) for name in queries.names]
    _, batch_seconds = _localize_batch(plain, queries, queries.names, scratch)
    poses = [None if found is None else found.cam_from_site for (found,), _ in single]
    return poses, np.array([seconds for _, seconds in single]), batch_seconds / len(queries.names)


def localize_among(plain: PlainMap, queries: Photos, candidates: Pairs, folder: Path) -> list[PlainPose | None]:
    """Localize queries in a map, each matched only with the map images named for it, such as retrieved."""
    scratch = folder / "candidates.db"
    shutil.copyfile(plain.database, scratch)
    _match_queries(scratch, queries, candidates)
    return [_pose(scratch, plain, queries.camera, name) for name in queries.names]


def _localize_batch(
    plain: PlainMap, queries: Photos, names: Sequence[str], scratch: Path
) -> tuple[list[PlainPose | None], float]:
    """Return the poses of some queries and the seconds they took, in a fresh copy of the map's database."""
    shutil.copyfile(plain.database, scratch)
    start = time.perf_counter()
    mapped = [image.name for image in plain.reconstruction.images.values()]
    _match_queries(scratch, queries, dict.fromkeys(names, mapped))
    poses = [_pose(scratch, plain, queries.camera, name) for name in names]
    return poses, time.perf_counter() - start


def _matched(photos: Photos, folder: Path, pairs: Pairs | None) -> Path:
    database = _made(folder) / "database.db"
    _extract(database, photos, photos.names)
    if pairs is None:
        pycolmap.match_exhaustive(database, _matching(), device=CPU)
    else:
        _match_pairs(database, pairs, verify=True)
    return database


def _extract(database: Path, photos: Photos, names: Sequence[str]) -> None:
    reader = pycolmap.ImageReaderOptions(
        camera_model=photos.camera.model_name, camera_params=",".join(map(repr, photos.camera.params.tolist()))
    )
    pycolmap.extract_features(
        database,
        photos.files[0].parent,
        list(names),
        pycolmap.CameraMode.SINGLE,
        reader,
        pycolmap.FeatureExtractionOptions(num_threads=THREADS, use_gpu=False),
        CPU,
    )


def _matching(*, verify: bool = True) -> pycolmap.FeatureMatchingOptions:
    return pycolmap.FeatureMatchingOptions(num_threads=THREADS, use_gpu=False, skip_geometric_verification=not verify)


def _match_queries(database: Path, queries: Photos, candidates: Pairs) -> None:
    """Add queries to a copy of the map's database and match each with its candidates; PnP verifies."""
    _extract(database, queries, list(candidates))
    _match_pairs(database, candidates, verify=False)


def _match_pairs(database: Path, pairs: Pairs, *, verify: bool) -> None:
    listed = database.with_suffix(".pairs.txt")
    listed.write_text("\n".join(f"{name} {other}" for name, others in pairs.items() for other in others), "utf-8")
    pairing = pycolmap.ImportedPairingOptions(match_list_path=listed)
    pycolmap.match_image_pairs(database, _matching(verify=verify), pairing, device=CPU)


def _pose(database: Path, plain: PlainMap, camera: pycolmap.Camera, name: str) -> PlainPose | None:
    """Return the pose from all 2D-3D matches of a query, each pair of feature and point once."""
    with pycolmap.Database.open(database) as opened:
        query = opened.read_image_with_name(name).image_id
        keypoints = opened.read_keypoints(query)[:, :2].astype(np.float64)
        pairs = [np.empty((0, 2), np.int64)]
        for image_id, points in plain.points.items():
            matches = opened.read_matches(query, image_id).astype(np.int64)
            pairs.append(np.stack([matches[:, 0], points[matches[:, 1]]], axis=1))
    feature, point = np.unique(np.concatenate(pairs), axis=0).T
    known = point >= 0
    xyz = np.array([plain.reconstruction.points3D[i].xyz for i in point[known].tolist()]).reshape(-1, 3)
    options = pycolmap.AbsolutePoseEstimationOptions()
    options.ransac.random_seed = 0
    found = pycolmap.estimate_and_refine_absolute_pose(keypoints[feature[known]], xyz, camera, options)
    if found is None:
        return None
    return PlainPose(cam_from_site=found["cam_from_world"], inliers=int(found["num_inliers"]))


def _point_ids(image: pycolmap.Image) -> NDArray[np.int64]:
    return np.array([point.point3D_id if point.has_point3D() else -1 for point in image.points2D], dtype=np.int64)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
