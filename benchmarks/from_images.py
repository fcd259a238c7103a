"""Maps from images alone against true camera centres, ours and plain; then ours tied to site by priors or control."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap

from benchmarks import plain
from benchmarks.protocol import Array, Photos, pose_table, spread, write_inputs
from geometry import (
    ControlPoints,
    Marks,
    TiepointError,
    align_points,
    position_covariance,
    position_of,
    squared_mahalanobis,
    transform_points,
    write_control,
    write_marks,
)
from twin import MapInputs, MapOptions, Twin, map_images

PRIOR_SIGMA_M = 0.05
CONTROL_POINTS, CONTROL_SIGMA_M, MARK_SIGMA_PX = 8, 0.01, 0.5
RUNS = 1
"""Whole mapping runs a kind of evidence, each with its own noise."""
ALIGNMENTS = 200
"""Draws of prior noise for the alignment alone, all on one SfM map."""


def compare(photos: Photos, folder: Path, truth_sigma_m: float) -> dict[str, Any]:
    """Return camera-centre errors after a similarity fit, ours and plain, and what each kind of evidence gives."""
    start = time.perf_counter()
    inputs, target = write_inputs(photos, folder / "ours"), folder / "ours" / "twin"
    twin = _mapped(inputs, target)
    ours = centre_errors(twin.view_poses, photos) | {"seconds": time.perf_counter() - start}
    alignments = align_by_priors(twin, photos, truth_sigma_m)
    by_control = [tie(inputs, target, photos, folder, truth_sigma_m, seed, by="control") for seed in range(RUNS)]
    by_priors = [tie(inputs, target, photos, folder, truth_sigma_m, seed, by="priors") for seed in range(RUNS)]
    model = plain.map_from_images(photos, folder / "plain")
    placed = {i.name: i.cam_from_world() for i in model.reconstruction.images.values() if i.has_pose}
    return {
        "ours": ours,
        "plain": centre_errors(placed, photos) | {"seconds": model.seconds},
        "alignment_by_priors": alignments,
        "tied_by_priors": by_priors,
        "tied_by_control": by_control,
    }


def centre_errors(poses: Mapping[str, pycolmap.Rigid3d], photos: Photos) -> dict[str, Any]:
    """Return the distances of camera centres from the truth after the best similarity."""
    rows, centres = _centres(poses, photos)
    truth = photos.positions[rows]
    site_from_map = pycolmap.estimate_sim3d(centres, truth)
    errors = np.linalg.norm(transform_points(site_from_map, centres) - truth, axis=1)
    names = [photos.names[row] for row in rows]
    return {
        "images": len(photos.files),
        "placed": len(rows),
        "centre_error_m": spread(errors),
        "per_image_m": dict(zip(names, errors.tolist(), strict=True)),
    }


def align_by_priors(twin: Twin, photos: Photos, truth_sigma_m: float) -> dict[str, Any]:
    """Align one SfM map by position priors, ``ALIGNMENTS`` times with fresh noise, and judge the claimed covariance."""
    rows, centres = _centres(twin.view_poses, photos)
    truth, sigma = photos.positions[rows], np.full(len(rows), PRIOR_SIGMA_M)
    errors, covariances, chi2 = [], [], []
    for seed in range(ALIGNMENTS):
        rng = np.random.default_rng(seed)
        found = align_points(centres, truth + rng.normal(0, PRIOR_SIGMA_M, truth.shape), sigma, rng=rng)
        aligned = transform_points(found.site_from_map, centres)
        errors.append(aligned - truth)
        covariances.append(found.point_covariances(aligned))
        chi2.append(found.chi2_per_dof)
    return {
        "seeds": ALIGNMENTS,
        "prior_sigma_m": PRIOR_SIGMA_M,
        "chi2_per_dof": float(np.mean(chi2)),
        **_honesty(np.array(errors), np.array(covariances), truth_sigma_m),
    }


def tie(
    inputs: MapInputs, target: Path, photos: Photos, folder: Path, truth_sigma_m: float, seed: int, *, by: str
) -> dict[str, Any]:
    """Map with noisy "priors" or "control"; judge the centres by the truth in site, without a fit, and their claim.

    Mapping may refuse evidence that contradicts the map; then only that is told.
    """
    rng = np.random.default_rng(seed)
    if by == "priors":
        noisy = photos.positions + rng.normal(0, PRIOR_SIGMA_M, photos.positions.shape)
        tied = write_inputs(photos, target.parent, pose_table(photos, positions=noisy, sigma_m=PRIOR_SIGMA_M))
    else:
        tied = _write_control(inputs, photos, folder / "control", rng)
    try:
        twin = _mapped(tied, target)
    except TiepointError as error:
        return {"seed": seed, "refused": str(error)}
    rows, centres = _centres(twin.view_poses, photos)
    names = [photos.names[row] for row in rows]
    claimed = [position_covariance(twin.view_poses[name], twin.view_covariance(name)) for name in names]
    errors = centres - photos.positions[rows]
    return {
        "seed": seed,
        "placed": len(rows),
        "centre_error_m": spread(np.linalg.norm(errors, axis=1)),
        "chi2_per_dof": twin.manifest.frame.chi2_per_dof,
        **_honesty(errors, np.array(claimed), truth_sigma_m),
    }


def _mapped(inputs: MapInputs, target: Path) -> Twin:
    """Map and open; features, matches and the reconstruction are kept and serve the next run with the same images."""
    map_images(inputs, target, MapOptions(keep_workspace=True))
    return Twin.open(target)


def _centres(poses: Mapping[str, pycolmap.Rigid3d], photos: Photos) -> tuple[list[int], Array]:
    """Return the rows of the photos that have a pose, and their centres (N, 3)."""
    rows = [row for row, name in enumerate(photos.names) if name in poses]
    return rows, np.array([position_of(poses[photos.names[row]]) for row in rows])


def _honesty(errors: Array, covariances: Array, truth_sigma_m: float) -> dict[str, float]:
    """Return the mean of e^T C^-1 e / 3 (ideal 1) of centres (..., 3), with the truth's own sigma added to C."""
    squared = squared_mahalanobis(errors, covariances + truth_sigma_m**2 * np.eye(3))
    sigma = np.sqrt(np.trace(covariances, axis1=-2, axis2=-1) / 3.0)
    return {"nees": float(squared.mean() / 3.0), "claimed_sigma_m": float(sigma.mean())}


def _write_control(inputs: MapInputs, photos: Photos, folder: Path, rng: np.random.Generator) -> MapInputs:
    """Make control.csv and marks.csv, as nobody surveyed these scenes: plain SIFT tracks triangulated at true poses.

    Positions get noise of ``CONTROL_SIGMA_M`` and marks of ``MARK_SIGMA_PX``, about what survey and mouse give.
    """
    if not (folder / "model").exists():
        plain.map_at_poses(photos, folder)
    model = pycolmap.Reconstruction(folder / "model")
    chosen = _spread_points(model)
    names = tuple(f"track {point_id}" for point_id in chosen)
    positions = np.array([model.points3D[point_id].xyz for point_id in chosen])
    seen = [(name, e) for name, i in zip(names, chosen, strict=True) for e in model.points3D[i].track.elements]
    images = [model.images[element.image_id] for _, element in seen]
    pixels = np.array([im.points2D[e.point2D_idx].xy for im, (_, e) in zip(images, seen, strict=True)])
    write_control(
        folder / "control.csv",
        ControlPoints(
            names=names,
            positions=positions + rng.normal(0, CONTROL_SIGMA_M, positions.shape),
            sigma_m=np.full(len(names), CONTROL_SIGMA_M),
        ),
    )
    write_marks(
        folder / "marks.csv",
        Marks(
            names=tuple(name for name, _ in seen),
            images=tuple(image.name for image in images),
            pixels=pixels + rng.normal(0, MARK_SIGMA_PX, pixels.shape),
        ),
    )
    return replace(inputs, control=folder / "control.csv", marks=folder / "marks.csv")


def _spread_points(model: pycolmap.Reconstruction) -> list[int]:
    """Return ids of ``CONTROL_POINTS`` well seen points, each as far as possible from those before it."""
    lengths = {i: point.track.length() for i, point in model.points3D.items() if point.error < 1.0}
    enough = min(4, max(lengths.values()))
    ids = [i for i, length in lengths.items() if length >= enough and _images_once(model.points3D[i])]
    points = np.array([model.points3D[i].xyz for i in ids])
    inside = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    kept = np.flatnonzero(inside <= np.percentile(inside, 95))
    ids, points = [ids[k] for k in kept], points[kept]
    chosen = [int(np.argmax(np.linalg.norm(points - points.mean(axis=0), axis=1)))]
    while len(chosen) < CONTROL_POINTS:
        distances = np.linalg.norm(points[:, None] - points[chosen][None], axis=2).min(axis=1)
        chosen.append(int(np.argmax(distances)))
    return [ids[k] for k in chosen]


def _images_once(point: pycolmap.Point3D) -> bool:
    images = [element.image_id for element in point.track.elements]
    return len(images) == len(set(images))
