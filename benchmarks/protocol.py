"""What the benchmarks share: photos with true poses, the two halves of a capture, figures, and how results are kept."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray

from geometry import (
    CameraRule,
    InputError,
    PoseTable,
    TiepointError,
    camera_from_opencv,
    pose_error,
    pose_from_matrix,
    position_of,
    quat_xyzw_of,
    write_atomic,
    write_cameras,
    write_poses,
)
from twin import MapInputs

Array = NDArray[np.float64]

ROOT = Path(__file__).parents[1]
THREADS = 2
LIBRARIES = ("tiepoint", "pycolmap", "opencv-contrib-python", "numpy", "scipy", "faiss-cpu", "open3d")


@dataclass(frozen=True, kw_only=True)
class Photos:
    """Photos of one place by one camera, in the order they were taken, with their true poses."""

    place: str
    files: tuple[Path, ...]
    camera: pycolmap.Camera
    cams_from_site: tuple[pycolmap.Rigid3d, ...]

    @property
    def names(self) -> list[str]:
        """File names, which name the images everywhere."""
        return [file.name for file in self.files]

    @property
    def positions(self) -> Array:
        """True camera centres (N, 3) in site."""
        return np.array([position_of(pose) for pose in self.cams_from_site]).reshape(-1, 3)

    def half(self, first: int) -> "Photos":
        """Return every second photo: the even-numbered from 0, the odd-numbered from 1."""
        return Photos(
            place=self.place,
            files=self.files[first::2],
            camera=self.camera,
            cams_from_site=self.cams_from_site[first::2],
        )


def load_strecha(folder: Path) -> Photos:
    """Read a scene of Strecha et al. (CVPR 2008): cameras.json with K, R, t in OpenCV's convention, and images/."""
    content = json.loads(_required(folder / "cameras.json").read_text("utf-8"))
    cameras = content["cameras"]
    return Photos(
        place=folder.name,
        files=tuple(folder / "images" / camera["name"] for camera in cameras),
        camera=camera_from_opencv(np.array(cameras[0]["K"]), [], tuple(content["image_size"])),
        cams_from_site=tuple(pose_from_matrix(camera["R"], camera["t"]) for camera in cameras),
    )


def load_sevenscenes(folder: Path) -> Photos:
    """Read frames of 7-Scenes (Shotton et al., CVPR 2013): frame-*.color.jpg with poses site_from_cam, 4x4."""
    matrix = np.loadtxt(_required(folder / "camera-intrinsics.txt"))
    files = sorted(folder.glob("frame-*.color.jpg"))
    truth = [np.linalg.inv(np.loadtxt(f"{file}".replace("color.jpg", "pose.txt"))) for file in files]
    return Photos(
        place=folder.name,
        files=tuple(files),
        camera=camera_from_opencv(matrix, [], (640, 480)),
        cams_from_site=tuple(pose_from_matrix(_orthonormal(pose[:3, :3]), pose[:3, 3]) for pose in truth),
    )


def pose_table(photos: Photos, *, positions: Array | None = None, sigma_m: float = 0.0) -> PoseTable:
    """Return the true poses as known ones, or, with ``positions`` (N, 3), position priors alone."""
    n = len(photos.files)
    true_quats = np.array([quat_xyzw_of(pose) for pose in photos.cams_from_site])
    return PoseTable(
        images=tuple(photos.names),
        positions=photos.positions if positions is None else positions,
        quats_xyzw=true_quats if positions is None else np.full((n, 4), np.nan),
        sigma_m=np.full(n, sigma_m),
        sigma_deg=np.zeros(n) if positions is None else np.full(n, np.nan),
    )


def write_inputs(photos: Photos, folder: Path, poses: PoseTable | None = None) -> MapInputs:
    """Write images/, cameras.csv and, where given, poses.csv for ``tiepoint map``; photos already there are kept."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    for file in photos.files:
        if not (images / file.name).exists():
            shutil.copyfile(file, images / file.name)
    write_cameras(folder / "cameras.csv", [CameraRule("*", photos.camera)])
    if poses is not None:
        write_poses(folder / "poses.csv", poses)
    return MapInputs(
        images=images, cameras=folder / "cameras.csv", poses=None if poses is None else folder / "poses.csv"
    )


def judge_poses(poses: Sequence[pycolmap.Rigid3d | None], seconds: ArrayLike, photos: Photos) -> dict[str, Any]:
    """Return the figures of one pipeline on queries; a pose of None is a query that was not localized.

    seconds: (N,) or (repeats, N), of each query
    """
    times = np.atleast_2d(np.asarray(seconds, dtype=np.float64))
    rows: list[dict[str, Any]] = []
    for name, pose, truth, taken in zip(photos.names, poses, photos.cams_from_site, times.T, strict=True):
        metres, degrees = (None, None) if pose is None else pose_error(pose, truth)
        rows.append({"image": name, "error_m": metres, "error_deg": degrees, "seconds": float(np.median(taken))})
    found = [row for row in rows if row["error_m"] is not None]
    return {
        "queries": len(rows),
        "localized": len(found),
        "position_error_m": spread([row["error_m"] for row in found]),
        "rotation_error_deg": spread([row["error_deg"] for row in found]),
        "seconds": spread([row["seconds"] for row in rows]),
        "repeats": len(times),
        "per_query": rows,
    }


def spread(values: ArrayLike) -> dict[str, float] | None:
    """Return minimum, median, 90th percentile and maximum, or None for no values."""
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.size == 0:
        return None
    named = {"min": 0, "median": 50, "p90": 90, "max": 100}
    return {name: float(np.percentile(numbers, q)) for name, q in named.items()}


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in aligned columns; a float gets three figures, None a dash."""
    text = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in text) for column in range(len(header))]
    for line in text:
        rest = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  ".join([line[0].ljust(widths[0]), *rest]))


def parse_arguments(description: str | None, name: str, flags: Sequence[str] = ()) -> argparse.Namespace:
    """Read --data (the folder of all data sets), --out (a JSON file) and ``flags``; keep to two cores and threads."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / f"{name}.json")
    for flag in flags:
        parser.add_argument(f"--{flag}", action="store_true")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    cv2.setNumThreads(THREADS)
    pycolmap.logging.minloglevel = pycolmap.logging.Level.ERROR.value
    return arguments


def run(main: Callable[[], None]) -> None:
    """Run a benchmark; what is wrong with its input ends it with one line and status 1."""
    try:
        main()
    except TiepointError as error:
        sys.exit(f"error: {error}")


def write_results(path: Path, content: dict[str, Any], machine: dict[str, Any]) -> None:
    """Write what was measured beside where and with what it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps({"machine": machine} | content, indent=1).encode() + b"\n")
    print(f"written to {path}")


def describe_machine() -> dict[str, Any]:
    """Return the machine, how busy it is before we start, versions, commit and command; call it first."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores_used": THREADS,
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {library: version(library) for library in LIBRARIES},
        "commit": _commit(),
        "command": " ".join(["python -m", f"benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]]),
    }


def _required(path: Path) -> Path:
    if not path.is_file():
        raise InputError(
            "the data set is not here", where=str(path.parent), remedy="Give its folder's parent as --data."
        )
    return path


def _orthonormal(rotation: NDArray[np.floating]) -> Array:
    """Return the nearest rotation: published matrices are rounded."""
    u, _, vt = np.linalg.svd(rotation)
    return np.asarray(u @ vt)


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _commit() -> str:
    """Return git's name of the checkout, with '-dirty' where files differ from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
