"""Cameras of real places: surveyed points clicked in MEVA, focal lengths of photos, calibrations of other people."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import tracking_wildtrack
from benchmarks.known_poses import map_known
from benchmarks.protocol import Photos, load_sevenscenes, load_strecha, spread
from geometry import DegenerateError, pose_error, project, transform_points
from geometry.camera_formats import FORMATS, ImportOptions
from geometry.handedness import MIRROR_Y, is_left_handed, right_handed
from perception import read_image
from twin.calibration.by_points import calibrate_by_points, clicked
from twin.calibration.calibrate import Calibrator

Array = NDArray[np.float64]

MEVA_MIN_POINTS = 6


def measure_real(data: Path, folder: Path) -> dict[str, Any]:
    """Measure all that is there of the real data; ``folder`` keeps twins."""
    found: dict[str, Any] = {}
    table: list[tuple[object, ...]] = []
    if (data / "meva").exists():
        found["meva"] = meva(data / "meva")
        off = found["meva"]["left_out_px"]
        table.append(("MEVA: landmark left out, px, median", f"{off['median']:.3g}", "3", _kept(off["median"], 3.0)))
        table.append(("MEVA: the same, 90 %", f"{off['p90']:.3g}", "", ""))
        apart = found["meva"]["position_from_published_m"]
        table.append(("MEVA: position from the published model, m, median", f"{apart['median']:.3g}", "", ""))
        table.append(("MEVA: the same, largest", f"{apart['max']:.3g}", "", ""))
    for name, low, high in (("multiviewx", 2.7, 6.8), ("wildtrack", 2.4, 10.8)):
        if (data / name).exists():
            found[name] = multiviewx(data / name) if name == "multiviewx" else wildtrack(data / name)
            values = list(found[name]["foot_px"].values())
            shown = f"{min(values):.3g} to {max(values):.3g}"
            verdict = "kept" if low - 0.1 <= min(values) and max(values) <= high + 0.1 else "missed"
            table.append((f"{name}: foot px, median by camera", shown, f"{low} to {high}", verdict))
    places = {"fountain-P11": data / "strecha" / "fountain-P11", "castle-P30": data / "strecha" / "castle-P30"}
    places["7-Scenes kitchen"] = data / "sevenscenes"
    for name, path in places.items():
        if path.exists():
            photos = load_sevenscenes(path) if "7" in name else load_strecha(path)
            found[name] = focal_lengths(photos, folder / f"real-{path.name}")
            error = found[name]["focal_error"]
            value = np.nan if error is None else error["median"]
            table.append((f"{name}: focal off, median", f"{value:.2%}", "1 %", _kept(value, 0.01)))
            table.append(
                (f"{name}: photos whose lens was found", found[name]["found"], "", f"of {found[name]['photos']}")
            )
    return {"table": table, **found}


def _kept(value: float, bound: float) -> str:
    return "kept" if value <= bound else "missed"


def meva(folder: Path) -> dict[str, Any]:
    """Find each camera's pose from the landmarks that were clicked in it, one left out in turn, with its known lens."""
    landmarks = folder / "landmarks"
    lines = (landmarks / "landmarks.ply").read_text().split("end_header\n")[1].splitlines()
    positions = {int(row.split()[9]): np.array(row.split()[:3], dtype=np.float64) for row in lines if row.strip()}
    names = [Path(line).stem for line in (landmarks / "frames.txt").read_text().split()]
    clicks: dict[str, list[tuple[int, float, float]]] = {name: [] for name in names}
    for line in (landmarks / "tracks.txt").read_text().splitlines():
        words = line.split()
        if int(words[0]) in positions:
            clicks[names[int(words[1]) - 1]].append((int(words[0]), float(words[2]), float(words[3])))
    published = {c.id: c for c in FORMATS["krtd"].read(landmarks / "cameras", ImportOptions())}
    rows: list[dict[str, Any]] = []
    for name, seen in clicks.items():
        if len(seen) < MEVA_MIN_POINTS or name not in published:
            continue
        camera, pose = published[name].camera(), published[name].pose()
        pixels = np.array([[u + 0.5, v + 0.5] for _, u, v in seen])
        points = np.array([positions[landmark] for landmark, _, _ in seen])
        everything = calibrate_by_points(clicked(pixels, points), (camera.width, camera.height), camera)
        metres, degrees = pose_error(everything.fit.cam_from_site, pose)
        off = []
        for left in range(len(seen)):
            kept = np.arange(len(seen)) != left
            try:
                found = calibrate_by_points(
                    clicked(pixels[kept], points[kept]), (camera.width, camera.height), camera, min_points=4
                )
            except DegenerateError:
                off.append(float("inf"))
                continue
            shown, _ = project(camera, transform_points(found.fit.cam_from_site, points[left][None]))
            off.append(float(np.linalg.norm(np.nan_to_num(shown[0], nan=1e6) - pixels[left])))
        sigma = float(np.sqrt(np.trace(everything.fit.covariance[3:, 3:]) / 3))
        rows.append(
            {"camera": name, "points": len(seen), "left_out_px": spread(off), "from_published_m": metres}
            | {"from_published_deg": degrees, "sigma_m": sigma, "all": off}
        )
    return {
        "cameras": rows,
        "left_out_px": spread([value for row in rows for value in row["all"]]),
        "position_from_published_m": spread([row["from_published_m"] for row in rows]),
    }


def multiviewx(folder: Path) -> dict[str, Any]:
    """Read the published, left-handed calibration, put it right, and compare feet with the ground points of truth."""
    found: dict[str, float] = {}
    hands = []
    for number in range(1, 7):
        rotation, offset = _extrinsic(folder / "calibrations" / "extrinsic" / f"extr_Camera{number}.xml")
        storage = cv2.FileStorage(
            str(folder / "calibrations" / "intrinsic" / f"intr_Camera{number}.xml"), cv2.FILE_STORAGE_READ
        )
        k = storage.getNode("camera_matrix").mat()
        feet, ground = [], []
        for file in sorted((folder / "annotations_positions").glob("*.json")):
            for person in json.loads(file.read_text()):
                view = next(v for v in person["views"] if v["viewNum"] == number - 1)
                if _whole(view):
                    position = person["positionID"]
                    feet.append([(view["xmin"] + view["xmax"]) / 2, view["ymax"]])
                    ground.append([(position % 1000) / 40, (position // 1000) / 40, 0.0])
        points = np.array(ground)
        hands.append(is_left_handed(rotation, offset, points))
        turned, shift = right_handed(rotation, offset)
        in_cam = points @ MIRROR_Y @ turned.T + shift
        pixels = in_cam @ k.T
        off = np.linalg.norm(pixels[:, :2] / pixels[:, 2:] - np.array(feet), axis=1)
        found[f"C{number}"] = float(np.median(off[in_cam[:, 2] > 0]))
    return {"left_handed": all(hands), "foot_px": found}


def _whole(view: dict[str, int]) -> bool:
    """Tell whether a box ends within the picture of 1920 x 1080: else its foot is the picture's edge."""
    return view["xmin"] > 0 and view["xmax"] < 1919 and 0 < view["ymax"] < 1079


def _extrinsic(file: Path) -> tuple[Array, Array]:
    storage = cv2.FileStorage(str(file), cv2.FILE_STORAGE_READ)
    rotation = np.asarray(cv2.Rodrigues(storage.getNode("rvec").mat())[0], dtype=np.float64)
    return rotation, np.asarray(storage.getNode("tvec").mat(), dtype=np.float64).ravel()


def wildtrack(folder: Path) -> dict[str, Any]:
    """Compare the feet of boxes with the ground points of truth under the published calibration, in centimetres."""
    cameras = tracking_wildtrack.read_cameras(folder)
    off: dict[str, list[float]] = {camera.id: [] for camera in cameras}
    for file in sorted((folder / "annotations_positions").glob("*.json")):
        for person in json.loads(file.read_text()):
            cell = person["positionID"]
            point = np.array([-3.0 + 0.025 * (cell % 480), -9.0 + 0.025 * (cell // 480), 0.0])
            for view in person["views"]:
                if _whole(view):
                    camera = cameras[view["viewNum"]]
                    shown, valid = project(camera.camera(), transform_points(camera.pose(), point[None]))
                    if valid[0]:
                        foot = np.array([(view["xmin"] + view["xmax"]) / 2, view["ymax"]])
                        off[camera.id].append(float(np.linalg.norm(shown[0] - 0.5 - foot)))
    return {"foot_px": {id: float(np.median(values)) for id, values in off.items()}}


def focal_lengths(photos: Photos, folder: Path) -> dict[str, Any]:
    """Map every second photo at its true pose and ask the others for their lens, each by itself."""
    even, odd = photos.half(0), photos.half(1)
    twin = map_known(even, folder)
    calibrator = Calibrator(twin)
    rows = []
    for file, true in zip(odd.files, odd.cams_from_site, strict=True):
        answer = calibrator.calibrate(file.stem, [read_image(file).pixels], lenses=("radial",))
        row: dict[str, Any] = {"image": file.name, "status": answer.status, "reason": answer.reason}
        if answer.camera is not None and answer.cam_from_site is not None:
            metres, degrees = pose_error(answer.cam_from_site, true)
            focal = float(answer.camera.mean_focal_length())
            row |= {"focal_px": focal, "sigma_px": answer.focal_sigma_px, "error_m": metres, "error_deg": degrees}
            row["focal_error"] = abs(focal / odd.camera.mean_focal_length() - 1.0)
        rows.append(row)
        print(row, flush=True)
    errors = [row["focal_error"] for row in rows if "focal_error" in row]
    return {
        "photos": len(rows),
        "found": len(errors),
        "true_focal_px": float(odd.camera.mean_focal_length()),
        "focal_error": spread(errors),
        "per_photo": rows,
    }
