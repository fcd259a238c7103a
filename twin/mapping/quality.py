"""What quality.json says of a map: residuals, coverage, how well its images are placed, and the left-out check."""

from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from twin.landmarks import Landmarks
from twin.mapping.left_out import LeftOut, residuals_px

Array = NDArray[np.float64]

PARTS_OF_FOLDER = {
    "map": ("map", "landmarks", "places"),
    "floor pictures": ("layout",),
    "surface": ("mesh.ply", "surface"),
}
"""Of a twin: which files and folders count as what."""
WEAK_SIGMAS = 3.0
"""A view whose position sigma is so many times the median's is listed as weakly determined."""


def report(
    landmarks: Landmarks,
    reconstruction: pycolmap.Reconstruction,
    check: LeftOut,
    not_placed: dict[str, str],
    view_covariances: Array | None,
) -> dict[str, Any]:
    """Return what quality.json says; ``view_covariances`` (V, 6, 6) are of the views' poses, None for exact ones."""
    residuals = residuals_px(landmarks, reconstruction)
    lengths = np.bincount(landmarks.landmark, minlength=len(landmarks))
    sigma = np.sqrt(np.linalg.eigvalsh(landmarks.covariances.astype(np.float64))[:, -1])
    answered = check.answered()
    return {
        "images": {
            "placed": len(landmarks.views),
            "not_placed": not_placed,
            **_view_sigmas(landmarks.views, view_covariances),
        },
        "landmarks": {
            "count": len(landmarks),
            "observations": len(landmarks.landmark),
            "track_length": {"mean": float(lengths.mean()), "histogram": np.bincount(lengths).tolist()},
            "sigma_m": percentiles(sigma),
        },
        "residuals_px": percentiles(np.linalg.norm(residuals, axis=1)),
        "coverage": _coverage(landmarks, reconstruction),
        "left_out": {
            "images": len(check.images),
            "localized": len(answered),
            "position_error_m": percentiles(np.array([image.error_m for image in answered])),
            "rotation_error_deg": percentiles(np.array([image.error_deg for image in answered])),
            "covariance_scale": check.covariance_scale(),
            "refused": check.refused(),
        },
    }


def _view_sigmas(views: tuple[str, ...], covariances: Array | None) -> dict[str, Any]:
    """Return how well the views' places in the map are determined, and those much less so than most."""
    if covariances is None:
        return {}
    sigma = np.sqrt(np.linalg.eigvalsh(covariances[:, 3:, 3:])[:, -1])
    weak = np.flatnonzero(sigma > WEAK_SIGMAS * np.median(sigma))
    return {"sigma_m": percentiles(sigma), "weakly_determined": {views[i]: float(sigma[i]) for i in weak}}


def percentiles(values: NDArray[np.floating]) -> dict[str, float] | None:
    """Return median, 90th percentile and maximum, or None for no values."""
    if len(values) == 0:
        return None
    return {
        "median": float(np.median(values)),
        "p90": float(np.percentile(values, 90)),
        "max": float(np.max(values)),
    }


def _coverage(landmarks: Landmarks, reconstruction: pycolmap.Reconstruction) -> dict[str, Any]:
    """Return what the map sees: its extent, the area its cameras enclose, and the images weakly tied to it."""
    low, high = np.percentile(landmarks.points, [1, 99], axis=0)
    centres = np.array([reconstruction.find_image_with_name(name).projection_center() for name in landmarks.views])
    per_view = dict(zip(landmarks.views, np.diff(landmarks.view_offsets).tolist(), strict=True))
    return {
        "extent_m": (high - low).tolist(),
        "camera_area_m2": _hull_area(centres[:, :2]),
        "landmarks_per_image": percentiles(np.array(list(per_view.values()))),
        "weak_images": {name: count for name, count in per_view.items() if count < 100},
    }


def _hull_area(points: Array) -> float:
    try:
        return float(ConvexHull(points).volume)
    except (QhullError, ValueError):
        return 0.0


def loss(
    before: Landmarks, after: Landmarks, check_before: LeftOut, check: LeftOut, budget_mb: float
) -> dict[str, Any]:
    """Return what a budget took away: shares kept, and the left-out check before and after."""
    per_view = np.diff(after.view_offsets)
    return {
        "budget_mb": budget_mb,
        "landmarks_kept": len(after) / len(before),
        "observations_kept": len(after.landmark) / len(before.landmark),
        "fewest_landmarks": {"image": after.views[int(per_view.argmin())], "count": int(per_view.min())},
        "left_out_before": {
            "localized": len(check_before.answered()),
            "position_error_m": percentiles(np.array([image.error_m for image in check_before.answered()])),
        },
        "left_out_lost": sorted(set(check.refused()) - set(check_before.refused())),
    }


def size(folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    """Return the bytes of a twin's folder by part, and those of the map (what localizes) a square metre of floor.

    result: what quality.json says else; without floors the area that the cameras enclose stands for them
    """
    parts: dict[str, int] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            top = path.relative_to(folder).parts[0]
            part = next((part for part, tops in PARTS_OF_FOLDER.items() if top in tops), "rest")
            parts[part] = parts.get(part, 0) + path.stat().st_size
    levels = result.get("floors", {}).get("levels", ())
    area = sum(level["area_m2"] for level in levels) or result["coverage"]["camera_area_m2"]
    return {
        "bytes": dict(sorted(parts.items())),
        "area_m2": area,
        "area_of": "floors" if levels else "cameras",
        "map_bytes_per_m2": parts["map"] / area if area > 0 else None,
    }
