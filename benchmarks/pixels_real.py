"""Detectors on real pictures: people of PETS 2009, stalls of PKLot, cars and people of MEVA and MultiviewX lifted."""

import csv
import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from benchmarks.tracking_baselines import NAMES, track_and_merge
from geometry import FixedCamera, camera_from_opencv, pose_from_matrix
from geometry.box_views import CameraModel, box_planes
from geometry.ground_surface import GroundSurface
from geometry.lifting import lift_boxes
from geometry.solids import size_prior
from geometry.track_records import Observation, TrackRow
from perception.detection.protocol import Detector
from perception.detections import Detections
from perception.images import read_image
from perception.tracking.options import TrackerOptions
from twin.evaluate_detection import TrueBoxes, judge_detections
from twin.evaluate_tracking import judge_boxes
from twin.tracking import TrackingOptions, track
from twin.video import SourceOptions, open_source
from twin.video.watch import frame_record

Array = NDArray[np.float64]

SPREAD_FRAMES = 40
SCORE = 0.3
PETS_FRAMES, PETS_STEP, PETS_FPS = 400, 2, 10.0
"""Of the video's first frames every second one is tracked."""
NEAR_M = 1.0


def people(folder: Path, detectors: dict[str, Detector]) -> dict[str, Any]:
    """Return figures of detectors on 40 frames of the video; one that keeps a state sees all frames."""
    truth = _pets_truth(folder / "PETS2009-S2L1.xml")
    chosen = np.linspace(0, 794, SPREAD_FRAMES).round().astype(int).tolist()
    figures: dict[str, Any] = {}
    for name, detector in detectors.items():
        found: dict[int, Detections] = {}
        source = open_source("View_001", str(folder / "vtest.avi"), SourceOptions())
        for number, frame in enumerate(source.frames()):
            if number in chosen or name == "background":
                found[number] = detector.detect(frame.pixels, camera=frame.camera, time=frame.time)
        own = [found[number] for number in chosen]
        judged = judge_detections(own, [truth[number] for number in chosen], SCORE)
        figures[name] = {key: judged["person"][key] for key in ("boxes", "AP50", "recall", "precision")}
    return figures


def identities(folder: Path, detector: Detector) -> dict[str, Any]:
    """Return what becomes of one detector's people, tracked from pixels, beside trackers on the same boxes."""
    camera = _tsai_camera(folder / "calibration" / "View_001.xml")
    ids: dict[int, list[int]] = {}
    truth = _pets_truth(folder / "PETS2009-S2L1.xml", ids)
    frames, rows = [], []
    source = open_source(camera.id, str(folder / "vtest.avi"), SourceOptions(limit=PETS_FRAMES))
    for number, frame in enumerate(source.frames()):
        if number % PETS_STEP:
            continue
        found = detector.detect(frame.pixels, camera=camera.id, time=frame.time)
        found = found.take(np.array([kind == "person" for kind in found.kinds], dtype=np.bool_))
        frames.append(frame_record(found))
        for id, box in zip(ids[number], truth[number].boxes.tolist(), strict=True):
            seen = Observation(camera=camera.id, time=frame.time, bbox=tuple(box))
            rows.append(
                TrackRow(time=frame.time, track=id, kind="person", position=(0.0, 0.0, 0.0), observations=(seen,))
            )
    fps = PETS_FPS / PETS_STEP
    options = TrackingOptions(
        tracker=TrackerOptions(visible_boxes=False), clock_sigma_s=0.0, rows_per_s=fps, fill_gap_s=1.0
    )
    result = {"frames": len(frames), "boxes": sum(len(frame.detections) for frame in frames)}
    ours = track(frames, [camera], options=options).rows
    figures: dict[str, Any] = {**result, "tiepoint": _short(judge_boxes(ours, rows))}
    for name in NAMES:
        theirs = track_and_merge(name, frames, [camera], GroundSurface.flat(), fps=fps)
        figures[name] = _short(judge_boxes(theirs, rows))
    return figures


def stalls(folder: Path, detectors: dict[str, Detector]) -> dict[str, Any]:
    """Return how well detectors tell taken stalls: a box of a vehicle holds the middle of the stall's polygon."""
    figures: dict[str, Any] = {}
    files = sorted(folder.glob("sequence*/frames/*"))
    for name, detector in detectors.items():
        right: dict[bool, list[bool]] = {True: [], False: []}
        for file in files:
            picture = read_image(file).pixels
            found = detector.detect(picture)
            vehicles = np.array([size_prior(kind).family == "vehicle" for kind in found.kinds], dtype=np.bool_)
            boxes = found.boxes[vehicles]
            for middle, taken in _slots(file):
                hit = ((boxes[:, :2] < middle) & (boxes[:, 2:] > middle)).all(axis=1).any()
                right[taken].append(bool(hit) == taken)
        figures[name] = {
            "frames": len(files),
            "taken": [float(np.mean(right[True])), len(right[True])],
            "free": [float(np.mean(right[False])), len(right[False])],
            "balanced_accuracy": float((np.mean(right[True]) + np.mean(right[False])) / 2),
            "accuracy": float(np.mean(right[True] + right[False])),
        }
    return figures


def multiviewx(folder: Path, detectors: dict[str, Detector], pictures: Path) -> dict[str, Any]:
    """Return how far people lifted from single boxes are from where they stand, and how many of those seen are
    found."""
    calibration = json.loads((folder / "calibration_righthanded.json").read_text("utf-8"))
    size = tuple(calibration["image_size"])
    figures: dict[str, Any] = {}
    for name, detector in detectors.items():
        errors, people, placed, found_count = [], 0, 0, 0
        for view, entry in enumerate(calibration["cameras"]):
            lens = camera_from_opencv(np.array(entry["K"]), entry["dist"], size)
            camera = FixedCamera.of(entry["name"], lens, pose_from_matrix(entry["R"], entry["t"]), level="")
            for number in range(10):
                picture = read_image(folder / "Image_subsets" / entry["name"] / f"{number:04d}.jpg").pixels
                found = detector.detect(picture)
                found = found.take(np.array([kind == "person" for kind in found.kinds], dtype=np.bool_))
                where = _lifted(camera, found)
                people_file = folder / "annotations_positions" / f"{number + 1:05d}.json"
                truth, boxes = _positions(people_file, view)
                people += len(boxes)
                found_count += len(found)
                pairs = _nearest(where, truth)
                placed += len(pairs)
                errors += pairs
                if number == 0:
                    _draw(pictures / f"multiviewx-{entry['name']}-{name}.jpg", picture, found, where)
        figures[name] = {
            "true_boxes": people,
            "found": found_count,
            f"placed_within_{NEAR_M:g}_m": placed,
            "median_error_m": float(np.median(errors)) if errors else None,
        }
    return figures


def meva(folder: Path, detectors: dict[str, Detector], pictures: Path) -> dict[str, Any]:
    """Return what is found in a picture of each surveyed camera of a real facility and placed on its ground."""
    landmarks = folder / "landmarks"
    figures: dict[str, Any] = {}
    for name, detector in detectors.items():
        rows = {}
        for file in sorted((landmarks / "cameras").glob("*.krtd")):
            image = folder / "frames" / f"{file.stem}.jpg"
            if not image.exists():
                continue
            picture = read_image(image).pixels
            camera = _krtd(file, picture.shape[1::-1])
            found = detector.detect(picture)
            where = _lifted(camera, found, _ground_height(landmarks, camera))
            placed = np.isfinite(where).all(axis=1)
            families = [size_prior(kind).family for kind in found.kinds]
            rows[file.stem] = {
                "vehicles": families.count("vehicle"),
                "people": families.count("person"),
                "placed": int(placed.sum()),
            }
            _draw(pictures / f"meva-{file.stem}-{name}.jpg", picture, found, where)
        figures[name] = rows
    return figures


def _pets_truth(path: Path, ids: dict[int, list[int]] | None = None) -> dict[int, TrueBoxes]:
    """Return boxes by frame, and into ``ids`` whose they are."""
    truth = {}
    for frame in ET.parse(path).getroot():
        number, boxes, own = int(frame.attrib["number"]), [], []
        for thing in frame.iter("object"):
            box = thing.find("box")
            assert box is not None
            w, h, x, y = (float(box.attrib[key]) for key in ("w", "h", "xc", "yc"))
            boxes.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
            own.append(int(thing.attrib["id"]))
        if ids is not None:
            ids[number] = own
        n = len(boxes)
        truth[number] = TrueBoxes(
            boxes=np.array(boxes, dtype=np.float64).reshape(-1, 4),
            kinds=("person",) * n,
            ignored=np.zeros(n, dtype=np.bool_),
            distances=np.full(n, np.nan),
        )
    return truth


def _tsai_camera(path: Path) -> FixedCamera:
    """Return a camera by Tsai's calibration; his distortion, which runs the other way, is fitted by two terms."""
    root = ET.parse(path).getroot()
    g, i, e = ({k: float(v) for k, v in root[n].attrib.items()} for n in range(3))
    focal = np.array([i["focal"] * i["sx"] / g["dpx"], i["focal"] / g["dpy"]])
    x, y = np.meshgrid(np.linspace(0, g["width"], 15), np.linspace(0, g["height"], 15))
    sensor = np.column_stack([(x.ravel() - i["cx"]) * g["dpx"] / i["sx"], (y.ravel() - i["cy"]) * g["dpy"]])
    straight = sensor * (1 + i["kappa1"] * (sensor**2).sum(axis=1, keepdims=True)) / i["focal"]
    bent = sensor / i["focal"]
    r2 = (straight**2).sum(axis=1, keepdims=True)
    fit = least_squares(lambda k: (straight * (1 + k[0] * r2 + k[1] * r2**2) - bent).ravel(), [0.0, 0.0])
    matrix = np.array([[focal[0], 0, i["cx"]], [0, focal[1], i["cy"]], [0, 0, 1]])
    lens = camera_from_opencv(matrix, [*fit.x, 0.0, 0.0], (int(g["width"]), int(g["height"])))
    rotation = Rotation.from_euler("xyz", [e["rx"], e["ry"], e["rz"]]).as_matrix()
    pose = pose_from_matrix(rotation, np.array([e["tx"], e["ty"], e["tz"]]) / 1000)
    return FixedCamera.of("View_001", lens, pose, level="")


def _slots(file: Path) -> list[tuple[Array, bool]]:
    """Return the middle of each stall of a frame and whether it is taken."""
    root = ET.parse(file.parents[1] / "bounding_boxes" / f"{file.stem}.xml").getroot()
    found = []
    for space in root.iter("space"):
        corners = [(float(p.attrib["x"]), float(p.attrib["y"])) for p in space.iter("point")]
        middle = np.array(shapely.Polygon(corners).centroid.coords[0])
        found.append((middle, space.attrib.get("occupied") == "1"))
    return found


def _lifted(camera: FixedCamera, found: Detections, height: float = 0.0) -> Array:
    """Return where detections stand (N, 3), NaN where nothing tells."""
    if not len(found):
        return np.zeros((0, 3))
    side = np.maximum(1.5, 0.02 * (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1))
    planes = box_planes(CameraModel.of(camera), found.boxes, found.feet, np.repeat(side[:, None], 6, axis=1))
    lifted = lift_boxes(planes, found.kinds, GroundSurface.flat(height), 0)
    return np.where(lifted.placed[:, None], lifted.position, np.nan)


def _positions(path: Path, view: int) -> tuple[Array, Array]:
    """Return where people stand (P, 2), and the boxes (B, 4) of those that a view shows."""
    people = json.loads(path.read_text("utf-8"))
    where, boxes = [], []
    for person in people:
        own = next(each for each in person["views"] if each["viewNum"] == view)
        if own["xmax"] > 0:
            where.append([(person["positionID"] % 1000) / 40, -(person["positionID"] // 1000) / 40])
            boxes.append([own[key] for key in ("xmin", "ymin", "xmax", "ymax")])
    return np.array(where).reshape(-1, 2), np.array(boxes).reshape(-1, 4)


def _nearest(found: Array, truth: Array) -> list[float]:
    """Return distances of pairs, each of both in one at most, nearest first, up to ``NEAR_M``."""
    distance = np.linalg.norm(found[:, None, :2] - truth[None], axis=-1)
    distance[~np.isfinite(distance)] = np.inf
    errors = []
    while distance.size and distance.min() <= NEAR_M:
        i, j = np.unravel_index(distance.argmin(), distance.shape)
        errors.append(float(distance[i, j]))
        distance[i, :] = np.inf
        distance[:, j] = np.inf
    return errors


def _krtd(path: Path, size: tuple[int, ...]) -> FixedCamera:
    numbers = [float(word) for word in path.read_text("utf-8").split()]
    matrix, rotation = np.array(numbers[:9]).reshape(3, 3), np.array(numbers[9:18]).reshape(3, 3)
    distortion = [*numbers[21:], 0.0, 0.0, 0.0, 0.0][:4]
    lens = camera_from_opencv(matrix, distortion, (size[0], size[1]))
    return FixedCamera.of(path.stem, lens, pose_from_matrix(rotation, np.array(numbers[18:21])), level="")


def _ground_height(folder: Path, camera: FixedCamera) -> float:
    """Return the median height of the surveyed landmarks: most of them are on the ground."""
    lines = (folder / "landmarks.ply").read_text("utf-8", errors="replace").splitlines()
    start = lines.index("end_header") + 1
    rows = [row for row in csv.reader(lines[start:], delimiter=" ") if len(row) >= 3]
    return float(np.median([float(row[2]) for row in rows]))


def _draw(path: Path, picture: NDArray[np.uint8], found: Detections, where: Array) -> None:
    """Draw boxes with kind and position into a picture."""
    canvas = np.ascontiguousarray(picture[:, :, ::-1])
    for box, kind, at in zip(found.boxes.astype(int).tolist(), found.kinds, where.tolist(), strict=True):
        colour = (80, 220, 80) if np.isfinite(at).all() else (60, 60, 230)
        cv2.rectangle(canvas, box[:2], box[2:], colour, 2)
        text = f"{kind} {at[0]:.1f} {at[1]:.1f}" if np.isfinite(at).all() else kind
        cv2.putText(canvas, text, (box[0], box[1] - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), canvas, [cv2.IMWRITE_JPEG_QUALITY, 85])


def _short(figures: dict[str, Any] | None) -> dict[str, Any] | None:
    keys: Sequence[str] = ("HOTA", "IDF1", "MOTA", "identity_switches", "IDSW", "fragmentations")
    return None if figures is None else {key: figures[key] for key in keys if key in figures}
