"""Detectors on rendered facilities of seeds they were not trained on, and the whole way from pixels to events."""

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.tracking_garage import busy_garage
from geometry import FixedCamera, FloorPlan, InputError, locate, read_cameras_json, read_plan, write_plan
from geometry.frames import position_of
from geometry.jsonl import write_jsonl
from geometry.solids import size_prior
from geometry.track_records import FrameRecord, TrackRow, read_detections, read_tracks
from perception.appearance.network import AppearanceNetwork, DescribingDetector
from perception.detection.floor_below import floors_below
from perception.detection.making import SHIPPED as OWN_DETECTORS
from perception.detection.making import habits_of, make_detector
from perception.detection.onnx_detector import OnnxDetector, OnnxOptions
from perception.detection.protocol import Detector
from perception.detection.refined import RefinedDetector
from perception.detection.vehicle_look import LookingDetector
from perception.detections import Detections
from perception.images import read_image
from perception.occupancy.network import StallNetwork, stall_network_file
from perception.tracking.options import TrackerOptions
from scenes.building import build_facility
from scenes.captures.boxes import FrameBoxes, read_boxes
from scenes.captures.fixed import render_fixed
from scenes.captures.recording import FixedOptions
from scenes.facility import Facility
from scenes.library import facility as library_facility
from scenes.plan import floor_plan
from twin.evaluate_detection import TrueBoxes, judge_detections, match
from twin.evaluate_events import judge_events, judge_gates, judge_occupancy, judged_times
from twin.evaluate_tracking import judge_tracks
from twin.events import events_of, read_occupancy
from twin.events.engine import Happenings
from twin.events.stall_views import StallViews, stall_sights
from twin.tracking import TrackingOptions, Tracks, track
from twin.video import DetectionOptions, Frame, detect_videos
from twin.video.watch import Watch

Array = NDArray[np.float64]

SCENES = ("garage", "lot")
GLIMPSE_S, GLIMPSE_FPS = 12.0, 0.5
"""Of each scene and seed, to judge detectors on: six frames a camera."""
LEAST_VISIBLE, LEAST_PX = 0.3, (10.0, 12.0)
"""What shows less of itself, or is less wide and high, is not asked for, and to find it is no fault."""
SCORE, USUAL_SCORE = 0.3, 0.15
MISSES = 24
STALL_SEEN = 0.5
"""Share of a stall that cameras see in an empty facility, and of its floor past what stands there at the time."""
APPEARANCE_FILE = "appearance.onnx"
"""In the folder of the recordings, if there is one."""


def recorded(work: Path, name: str, facility: Facility, seed: int, seconds: float, fps: float) -> Path:
    """Render what a facility's cameras record, in draft quality, unless it is there; return its folder."""
    out = work / f"{name}-{seed}-{seconds:g}s"
    if not (out / "truth" / "boxes.jsonl").exists():
        out.mkdir(parents=True, exist_ok=True)
        plan = floor_plan(facility)
        write_plan(out / "plan.json", plan)
        options = FixedOptions(seed=seed, seconds=seconds, fps=fps, quality="draft")
        render_fixed(facility, plan, build_facility(facility), out, options)
    return out


def detector(work: Path, seeds: Sequence[int], detectors: dict[str, Detector]) -> dict[str, Any]:
    """Return AP by class and distance on both scenes, and write the worst misses as pictures."""
    figures: dict[str, Any] = {}
    for name, each in detectors.items():
        figures[name] = {}
        for scene in SCENES:
            found, truth, frames = _looked_at(work, scene, seeds, each)
            figures[name][scene] = judge_detections(found, truth, SCORE)
            if isinstance(each, LookingDetector):
                alone, _, _ = _looked_at(work, scene, seeds, each, with_floors=False)
                right = judge_detections(alone, truth, SCORE)["vehicle"]["kind_accuracy"]
                figures[name][scene]["kind_accuracy_without_calibration"] = right
            _draw_misses(work / "pictures" / f"misses-{scene}-{name}.jpg", found, truth, frames)
        if name == "tiepoint":
            figures[name]["megabytes"] = _size(each)
    return figures


def integers(work: Path, seeds: Sequence[int], score: float) -> dict[str, Any]:
    """Return what the second stage, and 8-bit integers, cost and gain in AP and in time."""
    figures: dict[str, Any] = {}
    for name in OWN_DETECTORS:
        each = make_detector(name, OnnxOptions(threads=1, score=score))
        figures[name] = {"megabytes": _size(each)}
        for scene in SCENES:
            begin = time.process_time()
            found, truth, _ = _looked_at(work, scene, seeds, each)
            judged = judge_detections(found, truth, SCORE)
            figures[name][scene] = {family: judged[family]["AP50"] for family in ("vehicle", "person")}
            figures[name][scene]["kind_accuracy"] = judged["vehicle"]["kind_accuracy"]
            figures[name][scene]["cpu_ms_a_frame"] = 1000 * (time.process_time() - begin) / len(found)
        picture = np.zeros((480, 640, 3), dtype=np.uint8)
        figures[name]["detect_cpu_ms_640x480"] = _cpu_ms(partial(each.detect, picture), 20)
    return figures


def garage(work: Path, seeds: Sequence[int], seconds: float, fps: float) -> dict[str, Any]:
    """Return identities, occupancy, gates and other events of the busy garage, from its eight cameras' pixels."""
    return {str(seed): _from_pixels(_busy(work, seed, seconds, fps), seconds, with_appearance=True) for seed in seeds}


def appearance(work: Path, seeds: Sequence[int], seconds: float, fps: float) -> dict[str, Any]:
    """Return identities with and without vectors on the same boxes; the fleet has look-alikes of its own."""
    if not (work / APPEARANCE_FILE).exists():
        raise InputError("there is no network to describe with", where=str(work / APPEARANCE_FILE))
    figures: dict[str, Any] = {}
    for seed in seeds:
        folder = _busy(work, seed, seconds, fps)
        rows = {}
        for name, wanted in (("with", True), ("without", False)):
            judged = _from_pixels(folder, seconds, with_appearance=wanted)
            rows[name] = {key: judged["identities"][key] for key in ("IDF1", "HOTA", "MOTA", "IDF1_vehicles")}
        figures[str(seed)] = rows
    return figures


def speed(work: Path, seed: int, data: Path) -> dict[str, Any]:
    """Return frames a second of 640 x 360 for 1, 2 and 4 cameras and each detector, reading and all included."""
    source = recorded(work, "garage", library_facility("garage", seed=seed), seed, GLIMPSE_S, GLIMPSE_FPS)
    figures: dict[str, Any] = {}
    repeats = {**dict.fromkeys(OWN_DETECTORS, 10), "background": 20, "yolox-nano": 4}
    for name, times in repeats.items():
        path = str(data / "weights" / "yolox_nano.onnx") if name == "yolox-nano" else name
        figures[name] = {}
        for cameras in (1, 2, 4):
            videos = _videos(source, work / "speed", cameras, times)
            options = DetectionOptions(detector=path, network=OnnxOptions(threads=1), workers=min(cameras, 2))
            begin, first, count = time.perf_counter(), 0.0, 0
            for _ in detect_videos(videos, options):
                count += 1
                # Processes start and load their networks before the first frame; that is once a day.
                if count == cameras:
                    first = time.perf_counter()
            figures[name][str(cameras)] = (count - cameras) / (time.perf_counter() - (first or begin))
        each = make_detector(path, OnnxOptions(threads=1))
        picture = read_image(next(iter(sorted((work / "speed").glob("*/*.jpg"))))).pixels
        figures[name]["cpu_ms_a_frame"] = _cpu_ms(partial(each.detect, picture), 30)
    return figures


class Watched(NamedTuple):
    """What cameras of a recording tell by their pixels: ``cameras`` are the true ones, ``cpu_s`` is of tracking."""

    plan: FloorPlan
    cameras: Sequence[FixedCamera]
    frames: int
    tracks: Tracks
    told: Happenings
    cpu_s: float


def watched(folder: Path, *, with_appearance: bool) -> Watched:
    """Look at a recording with the networks that come along, track, and tell what happens."""
    plan = read_plan(folder / "plan.json")
    installed, true = (read_cameras_json(folder / part / "cameras.json") for part in ("fixed", "truth"))
    frames = list(read_detections(_detections(folder, installed, plan)))
    if not with_appearance:
        frames = [_without_vectors(frame) for frame in frames]
    begin = time.process_time()
    tracker = TrackerOptions.of(habits_of("tiepoint"))
    tracks = track(frames, installed, plan=plan, options=TrackingOptions(tracker=tracker))
    cpu_s = time.process_time() - begin
    told = events_of(tracks.rows, plan, installed, looks=tracks.looks, unsure=tracks.unsure)
    return Watched(plan, true, len(frames), tracks, told, cpu_s)


def _from_pixels(folder: Path, seconds: float, *, with_appearance: bool) -> dict[str, Any]:
    plan, cameras, frames, tracks, told, cpu_s = watched(folder, with_appearance=with_appearance)
    rows = tracks.rows
    truth = read_tracks(folder / "truth" / "tracks.jsonl")
    counted = _clear(folder, truth)
    judged = judge_tracks(rows, truth, counted=counted)
    vehicles = {row.track for row in truth if row.kind != "person"}
    only = judge_tracks(
        [row for row in rows if row.kind != "person"],
        [row for row in truth if row.track in vehicles],
        counted=frozenset((t, k) for t, k in counted if k in vehicles),
    )
    start, happened = truth[0].time, events_of(truth, plan)
    sight = StallViews.of(plan, cameras).seen.any(axis=0).mean(axis=1)
    seen = [stall.id for stall, share in zip(plan.stalls, sight.tolist(), strict=True) if share >= STALL_SEEN]
    occupied = read_occupancy(folder / "truth" / "occupancy.jsonl")
    keys = ("HOTA", "IDF1", "MOTA", "position_error_m", "kinds_right")
    span = {"begin": start, "end": start + seconds}
    return {
        "frames": frames,
        "identities": {key: judged[key] for key in keys if key in judged} | {"IDF1_vehicles": only["IDF1"]},
        "tracking_cpu_s": cpu_s,
        "occupancy": judge_occupancy(told.occupancy, occupied, **span, stalls=seen),
        "occupancy_in_view": judge_occupancy(
            told.occupancy, occupied, **span, in_view=_in_view(plan, cameras, truth, judged_times(**span))
        ),
        "gates": judge_gates(told.events, [e for e in happened.events if "seen" not in e.meta]),
        "events": judge_events(told.events, happened.events),
    }


def _in_view(
    plan: FloorPlan, cameras: Sequence[FixedCamera], truth: Sequence[TrackRow], times: Array
) -> dict[str, NDArray[np.bool_]]:
    """Tell at which times (T,) cameras see half of each stall's floor, past what stands or drives there by the truth.

    What stands in a stall does not hide that stall.
    """
    views = StallViews.of(plan, cameras, height=0.0)
    vehicles = [row for row in truth if row.kind != "person"]
    stall_of = locate(plan, np.array([row.position for row in vehicles])).stall
    at = np.array([row.time for row in vehicles])
    boxes = np.array(
        [[*row.position, row.heading or 0.0, *(row.size or size_prior(row.kind).size)] for row in vehicles]
    )
    moments = np.unique(at)
    shares = np.empty((len(times), len(views.stalls)))
    for i, time_s in enumerate(times.tolist()):
        now = at == moments[np.abs(moments - time_s).argmin()]
        shares[i] = views.past(boxes[now], stall_of[now]).any(axis=0).mean(axis=1)
    return dict(zip(views.stalls, (shares >= STALL_SEEN).T, strict=True))


def _busy(work: Path, seed: int, seconds: float, fps: float) -> Path:
    return recorded(work, f"busy-garage-{fps:g}fps", busy_garage(seed), seed, seconds, fps)


def _detections(folder: Path, cameras: Sequence[FixedCamera], plan: FloorPlan) -> Path:
    """Return what the shipped networks see in a recording, described where there is a network for that; kept."""
    habits = habits_of("tiepoint")
    score = USUAL_SCORE if habits is None else habits.low_score
    looking = _with_floors(make_detector("tiepoint", OnnxOptions(threads=1, score=score)), plan, cameras)
    appearance = folder.parent / APPEARANCE_FILE
    if appearance.exists():
        looking = DescribingDetector(looking, AppearanceNetwork(appearance, threads=1))
    network = StallNetwork(stall_network_file("tiepoint"), threads=1)
    path = folder / f"seen-{'-'.join((looking.name, 'measured', network.name)).replace('#', '-')}.jsonl"
    if not path.exists():
        options = DetectionOptions(sights=stall_sights(plan, cameras))
        watches = {camera.id: Watch(camera.id, looking, options, network) for camera in cameras}
        lines = []
        for frame, file in _frames(folder):
            picture = Frame(camera=frame.camera, time=frame.time, pixels=read_image(file).pixels)
            lines.append(watches[frame.camera].look(picture))
        lines.sort(key=lambda line: (line.time, line.camera))
        write_jsonl(path, (line.model_dump(mode="json", by_alias=True, exclude_none=True) for line in lines))
    return path


def _without_vectors(frame: FrameRecord) -> FrameRecord:
    kept = tuple(each.model_copy(update={"embedding": None}) for each in frame.detections)
    return frame.model_copy(update={"detections": kept})


def _clear(folder: Path, truth: Sequence[TrackRow]) -> frozenset[tuple[float, int]]:
    """Return (time, track) of what some camera sees well enough to be asked for."""
    counted, numbers = set(), {str(row.meta["object"]): row.track for row in truth}
    times = np.unique([row.time for row in truth])
    for frame, _ in _frames(folder):
        nearest = float(times[np.abs(times - frame.utc).argmin()])
        for box in frame.boxes:
            if box.bbox_visible and not _is_ignored(box.bbox_visible, box.visible_fraction) and box.object in numbers:
                counted.add((nearest, numbers[box.object]))
    return frozenset(counted)


def _frames(folder: Path) -> Iterator[tuple[FrameBoxes, Path]]:
    """Yield the frames of a recording with their true boxes and picture files."""
    numbers: dict[str, int] = {}
    for frame in read_boxes(folder):
        number = numbers.get(frame.camera, 0)
        numbers[frame.camera] = number + 1
        yield frame, folder / "fixed" / frame.camera / f"{number:06d}.jpg"


def _looked_at(
    work: Path, scene: str, seeds: Iterable[int], each: Detector, *, with_floors: bool = True
) -> tuple[list[Detections], list[TrueBoxes], list[Path]]:
    """Return what a detector finds, what is there, and the pictures; vehicles are measured where it can do so."""
    found, truth, files = [], [], []
    for seed in seeds:
        folder = recorded(work, scene, library_facility(scene, seed=seed), seed, GLIMPSE_S, GLIMPSE_FPS)
        cameras = {camera.id: camera for camera in read_cameras_json(folder / "truth" / "cameras.json")}
        installed = read_cameras_json(folder / "fixed" / "cameras.json")
        looking = _with_floors(each, read_plan(folder / "plan.json"), installed) if with_floors else each
        for frame, file in _frames(folder):
            found.append(looking.detect(read_image(file).pixels, camera=frame.camera, time=frame.time))
            truth.append(_truth(frame, cameras[frame.camera]))
            files.append(file)
    return found, truth, files


def _with_floors(each: Detector, plan: FloorPlan, cameras: Sequence[FixedCamera]) -> Detector:
    if not isinstance(each, LookingDetector):
        return each
    return LookingDetector(each.detector, each.look, floors_below(plan, cameras))


def _truth(frame: FrameBoxes, camera: FixedCamera) -> TrueBoxes:
    boxes = [box for box in frame.boxes if box.bbox_visible]
    eye = position_of(camera.pose())
    return TrueBoxes(
        boxes=np.array([box.bbox_visible for box in boxes], dtype=np.float64).reshape(-1, 4),
        kinds=tuple(box.kind for box in boxes),
        ignored=np.array([_is_ignored(b.bbox_visible or (), b.visible_fraction) for b in boxes], dtype=np.bool_),
        distances=np.array([np.linalg.norm(np.subtract(box.position, eye)) for box in boxes], dtype=np.float64),
    )


def _is_ignored(box: Sequence[float], visible: float) -> bool:
    return visible < LEAST_VISIBLE or box[2] - box[0] < LEAST_PX[0] or box[3] - box[1] < LEAST_PX[1]


def _draw_misses(path: Path, found: Sequence[Detections], truth: Sequence[TrueBoxes], files: Sequence[Path]) -> None:
    """Draw the largest objects that were missed and the surest false ones, each with its surroundings."""
    matched = match(found, truth, lambda kind: True)
    wrong: list[tuple[float, int, Array, str]] = []
    for i in np.flatnonzero(matched.missed).tolist():
        picture, row = int(matched.picture_of[i]), int(matched.row_of[i])
        box = truth[picture].boxes[row]
        wrong.append((float((box[2:] - box[:2]).prod()), picture, box, f"missed {truth[picture].kinds[row]}"))
    wrong.sort(key=lambda each: -each[0])
    false = np.flatnonzero((matched.hit < 0) & matched.counted)
    false = false[np.argsort(-matched.scores[false])][: MISSES // 2]
    shown = wrong[: MISSES - len(false)]
    for i in false.tolist():
        picture, row = int(matched.picture[i]), int(matched.row[i])
        text = f"false {found[picture].kinds[row]} {matched.scores[i]:.2f}"
        shown.append((0.0, picture, found[picture].boxes[row], text))
    tiles = [_tile(files[picture], box, text) for _, picture, box, text in shown]
    if tiles:
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 6)
        sheet = np.vstack([np.hstack(tiles[i : i + 6]) for i in range(0, len(tiles), 6)])
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), sheet, [cv2.IMWRITE_JPEG_QUALITY, 80])


def _tile(file: Path, box: Array, text: str) -> NDArray[np.uint8]:
    picture = np.ascontiguousarray(read_image(file).pixels[:, :, ::-1])
    x1, y1, x2, y2 = box.round().astype(int).tolist()
    cv2.rectangle(picture, (x1, y1), (x2, y2), (60, 60, 230) if text.startswith("missed") else (40, 200, 240), 2)
    half = max(x2 - x1, y2 - y1, 60)
    x, y = (x1 + x2) // 2, (y1 + y2) // 2
    part = picture[max(0, y - half) : y + half, max(0, x - half) : x + half]
    tile = np.asarray(cv2.resize(part, (240, 240)), dtype=np.uint8)
    cv2.putText(tile, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1)
    return tile


def _videos(source: Path, folder: Path, cameras: int, times: int) -> dict[str, str]:
    """Write folders of pictures of 640 x 360, a camera's own ones again and again, with times."""
    videos = {}
    for number in range(cameras):
        own = folder / f"cam{number + 1}-{times}"
        videos[own.name] = str(own)
        if (own / "frames.csv").exists():
            continue
        own.mkdir(parents=True, exist_ok=True)
        pictures = sorted((source / "fixed" / f"cam{number + 1}").glob("*.jpg"))
        lines = ["camera,frame,time"]
        for count in range(times * len(pictures)):
            pixels = read_image(pictures[count % len(pictures)]).pixels[60:420, :, ::-1]
            cv2.imwrite(str(own / f"{count:06d}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])
            lines.append(f"{own.name},{count:06d}.jpg,{count / 25}")
        (own / "frames.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return videos


def _cpu_ms(ask: Any, times: int) -> float:
    """Return the CPU time of a call in its median, which others on the machine lengthen less than the clock's."""
    spent = []
    for _ in range(times):
        begin = time.process_time()
        ask()
        spent.append(time.process_time() - begin)
    return 1000 * float(np.median(spent))


def _size(each: Detector) -> float | None:
    if isinstance(each, LookingDetector):
        return (_size(each.detector) or 0.0) + each.look.path.stat().st_size / 1e6
    if isinstance(each, RefinedDetector):
        return (each.path.stat().st_size + each.detector.path.stat().st_size) / 1e6
    return each.path.stat().st_size / 1e6 if isinstance(each, OnnxDetector) else None
