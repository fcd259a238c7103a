"""A capture on disk, in the layout of docs: pictures, what a phone would claim, and the truth."""

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from geometry.errors import InputError
from geometry.frames import position_of, quat_xyzw_of
from geometry.interchange import CameraRule, PoseTable, write_cameras, write_poses
from scenes.authoring import Place
from scenes.capture import View, render_capture
from scenes.noise import NoiseOptions, encode_jpeg


@dataclass(frozen=True, kw_only=True)
class DriftOptions:
    """How a phone's own tracking errs: white noise plus a random walk that grows with the path.

    noise_m, noise_deg: standard deviation of each picture's own error, along and about each axis
    drift_m_per_sqrt_m, drift_deg_per_sqrt_m: of the random walk after one metre of path, along each axis and in
        heading; gravity keeps roll and pitch from drifting
    """

    noise_m: float = 0.02
    noise_deg: float = 0.3
    drift_m_per_sqrt_m: float = 0.03
    drift_deg_per_sqrt_m: float = 0.15


def true_poses(views: Sequence[View]) -> PoseTable:
    """Return the exact poses of views, as poses.csv holds truth; the sigmas are 0."""
    return PoseTable(
        images=tuple(view.image for view in views),
        positions=np.array([position_of(view.cam_from_site) for view in views]).reshape(-1, 3),
        quats_xyzw=np.array([quat_xyzw_of(view.cam_from_site) for view in views]).reshape(-1, 4),
        sigma_m=np.zeros(len(views)),
        sigma_deg=np.zeros(len(views)),
        time=np.array([view.time for view in views]),
    )


def claimed_poses(truth: PoseTable, options: DriftOptions, rng: np.random.Generator) -> PoseTable:
    """Return the poses a phone would claim along a walk, with sigmas that are the true standard deviations.

    sigma_m is the error along each axis; sigma_deg that of the heading, the worst of the three axes.
    """
    steps = np.linalg.norm(np.diff(truth.positions, axis=0, prepend=truth.positions[:1]), axis=1)
    path, count = np.cumsum(steps), len(truth)
    root = np.sqrt(steps)[:, None]
    drift = options.drift_m_per_sqrt_m * np.cumsum(root * rng.standard_normal((count, 3)), axis=0)
    heading = options.drift_deg_per_sqrt_m * np.cumsum(root[:, 0] * rng.standard_normal(count))
    tilt_deg = options.noise_deg * rng.standard_normal((count, 3)) + np.outer(heading, [0.0, 0.0, 1.0])
    error = Rotation.from_rotvec(np.radians(tilt_deg))
    return PoseTable(
        images=truth.images,
        positions=truth.positions + drift + options.noise_m * rng.standard_normal((count, 3)),
        quats_xyzw=(error * Rotation.from_quat(truth.quats_xyzw)).as_quat(canonical=True),
        sigma_m=np.sqrt(options.noise_m**2 + options.drift_m_per_sqrt_m**2 * path),
        sigma_deg=np.sqrt(options.noise_deg**2 + options.drift_deg_per_sqrt_m**2 * path),
        time=truth.time,
        sequence=truth.sequence,
    )


def write_capture(
    folder: str | os.PathLike[str],
    place: Place,
    walk: Sequence[View],
    queries: Sequence[View],
    rng: np.random.Generator,
    *,
    noise: NoiseOptions | None = None,
    drift: DriftOptions | None = None,
    samples_per_axis: int = 2,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Render a capture into ``folder``, which must not exist or be empty.

    Writes walk/*.jpg with walk/poses.csv (claimed), queries/*.jpg, cameras.csv, truth/walk.csv and truth/queries.csv.
    Image names are relative to walk/ and queries/. All pictures must come from one camera, as one rule covers them.
    Raises ``InputError`` where the folder holds something or the cameras differ.
    """
    root, views = Path(folder), [*walk, *queries]
    if root.exists() and any(root.iterdir()):
        raise InputError("the folder is not empty", where=str(root), remedy="Give a new folder.")
    if not walk or len({str(view.camera.todict()) for view in views}) != 1:
        raise InputError("a capture needs a walk, and one camera for all its pictures")
    noise, total = noise or NoiseOptions(), len(views)
    for kind, members, before in (("walk", walk, 0), ("queries", queries, len(walk))):
        (root / kind).mkdir(parents=True)
        shots = render_capture(place, members, rng, noise=noise, samples_per_axis=samples_per_axis)
        for i, shot in enumerate(shots, start=before + 1):
            _write_bytes(root / kind / shot.view.image, encode_jpeg(shot.image, noise))
            if on_progress:
                on_progress(i, total)
    (root / "truth").mkdir()
    truth = true_poses(walk)
    write_poses(root / "truth" / "walk.csv", truth)
    write_poses(root / "truth" / "queries.csv", true_poses(queries))
    write_poses(root / "walk" / "poses.csv", claimed_poses(truth, drift or DriftOptions(), rng))
    write_cameras(root / "cameras.csv", [CameraRule("*", views[0].camera)])


def _write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
