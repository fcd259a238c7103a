"""A look at vehicles: they get the network's kinds and colours, and all else stays as the detector says."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from geometry.errors import InputError
from perception.appearance.network import Described, with_description
from perception.detection.floor_below import FloorBelow
from perception.detection.habits import DetectorHabits
from perception.detection.onnx_detector import OnnxOptions
from perception.detection.protocol import Pixels
from perception.detection.tiles import TileOptions
from perception.detection.vehicle_look import OWN_KEY, SHAPE, LookingDetector, VehicleLook
from perception.detection.vehicle_numbers import BY_BOX, FLAG, MEASURES, Known, count_numbers, numbers_of
from perception.detection.windows import cut, windows_of
from perception.detections import Detections
from perception.shares import Shares
from tests.perception.sites import camera_over
from twin.video.watch import DetectionOptions

KINDS, COLOURS = ["car", "van", "pickup"], ["red", "blue"]
WEIGHTS = np.array([[10.0, 0, 0], [0, 10, 0], [0, 0, 10], [8, 0, 0], [0, 0, 4]], dtype=np.float32).T
"""From the mean red, green and blue of a crop to the log-odds of three kinds and two colours."""
HABITS = DetectorHabits(
    box_share=0.03, foot_share=0.04, detected=0.9, score_slope=1.0, score_middle=0.0, objects=5.0, low_score=0.2,
    high_score=0.6,
)  # fmt: skip


NUMBERS = count_numbers(len(KINDS))
SHARES_FROM = BY_BOX + FLAG + MEASURES + FLAG


def write_look(path: Path, about: object = None, numbers: int = NUMBERS) -> Path:
    """Write a network that tells by a crop's mean colours; it adds the first number to the first kind, the metres a
    vehicle is wide to the second, and the detector's shares to each."""
    first = np.zeros((numbers, 5), dtype=np.float32)
    first[0, 0] = 1.0
    first[BY_BOX + FLAG + 1, 1] = 1.0
    first[[SHARES_FROM, SHARES_FROM + 1, SHARES_FROM + 2], [0, 1, 2]] = 1.0
    inputs = [
        helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["n", 3, SHAPE.height, SHAPE.width]),
        helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["n", numbers]),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["pictures"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["told"]),
        helper.make_node("MatMul", ["numbers", "first"], ["more"]),
        helper.make_node("Add", ["told", "more"], ["rows"]),
    ]
    values = [numpy_helper.from_array(value, name=name) for name, value in (("weights", WEIGHTS), ("first", first))]
    out = [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", 5])]
    model = helper.make_model(
        helper.make_graph(nodes, "told", inputs, out, values), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 9
    entry = model.metadata_props.add()
    entry.key, entry.value = OWN_KEY, json.dumps({"kinds": KINDS, "colours": COLOURS} if about is None else about)
    onnx.save(model, str(path))
    return path


@dataclass
class Finds:
    """A detector that finds the same everywhere, with habits of its own."""

    found: Detections
    name: str = "finds"
    habits: DetectorHabits = field(default_factory=lambda: HABITS)

    def detect(self, picture: Pixels, *, camera: str = "", time: float = 0.0) -> Detections:
        """Say it of this camera and time."""
        return replace(self.found, camera=camera, time=time)


PICTURE = np.zeros((100, 200, 3), dtype=np.uint8)
PICTURE[:, :60, 1] = 255  # green: a van
PICTURE[:, 60:120, 2] = 255  # blue: a pickup
FOUND = Detections.of(
    "", 0.0,
    np.array([[10.0, 20, 50, 60], [70, 20, 110, 60], [150, 20, 160, 60], [70, 20, 110, 60]]),
    ["car", "vehicle", "person", "bus"],
    np.array([0.9, 0.8, 0.7, 0.6]), np.array([[30.0, 58], [90, 58], [155, 60], [90, 58]]),
)  # fmt: skip


def looking(folder: Path, found: Detections) -> LookingDetector:
    return LookingDetector(Finds(found), VehicleLook(write_look(folder / "k.onnx"), OnnxOptions()))


def numbers(found: Detections, floor: FloorBelow | None = None) -> np.ndarray:
    """Return the numbers (NUMBERS,) beside the first of what is found."""
    known = Known.of(found, PICTURE.shape[1::-1], tuple(KINDS), floor)
    return numbers_of(found.boxes, windows_of(found.boxes, SHAPE).scale, known)[0].astype(np.float64)


def expected(box: np.ndarray, more: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares of kinds and colours by hand; ``more`` (NUMBERS,) beside those of the box."""
    windows = windows_of(box[None], SHAPE)
    mean = cut(PICTURE, windows, SHAPE).astype(np.float64).mean(axis=(1, 2)) / 255
    odds = (mean @ WEIGHTS)[0]
    odds[0] += numbers(Detections.of("", 0.0, box[None], ["car"]))[0]
    if more is not None:
        odds[:3] += more[SHARES_FROM:]
        odds[1] += more[BY_BOX + FLAG + 1]
    parts = np.exp(odds[:3]), np.exp(odds[3:])
    return parts[0] / parts[0].sum(), parts[1] / parts[1].sum()


def test_vehicles_get_its_kinds_and_colours_and_all_else_stays(tmp_path: Path) -> None:
    detector = looking(tmp_path, FOUND)
    found = detector.detect(PICTURE, camera="cam1", time=3.0)
    assert found.kinds == ("van", "pickup", "person", "bus"), "a bus is none of the kinds it tells apart"
    assert found.kind_shares is not None
    assert found.colour_shares is not None
    for row in (0, 1):
        kinds, colours = expected(FOUND.boxes[row])
        np.testing.assert_allclose(found.kind_shares.values[row], kinds, atol=1e-5)
        np.testing.assert_allclose(found.colour_shares.values[row], colours, atol=1e-5)
    assert [found.kind_shares.named(row) for row in (2, 3)] == [{}, {}]
    assert found.colour_shares.named(2) == {}, "a person has no paint"
    assert next(iter(found.colour_shares.named(3))) == "blue", "a bus has"
    assert (found.camera, found.time) == ("cam1", 3.0)
    for name in ("boxes", "scores", "feet"):
        np.testing.assert_array_equal(getattr(found, name), getattr(FOUND, name))
    assert detector.habits == HABITS, "whoever asks how it errs is told what the detector itself says"
    assert detector.name == f"finds+{detector.look.name}"


def test_what_the_detector_takes_it_for_is_told_the_network(tmp_path: Path) -> None:
    own = np.array([[0.7, 0.2, 0.1], [np.nan] * 3, [np.nan] * 3, [np.nan] * 3])
    shares = Shares(names=tuple(KINDS), values=own)
    found = looking(tmp_path, replace(FOUND, kind_shares=shares)).detect(PICTURE)
    assert found.kind_shares is not None
    one = replace(FOUND, kind_shares=shares).take(np.array([0]))
    np.testing.assert_allclose(found.kind_shares.values[0], expected(FOUND.boxes[0], numbers(one))[0], atol=1e-4)
    np.testing.assert_allclose(found.kind_shares.values[1], expected(FOUND.boxes[1])[0], atol=1e-4)
    other = Shares(names=("van", "car", "pickup"), values=own)
    assert looking(tmp_path, replace(FOUND, kind_shares=other)).detect(PICTURE).kinds[0] == "van"


def test_calibrated_cameras_measure_what_stands_on_their_floor(tmp_path: Path) -> None:
    floor = FloorBelow(camera_over(PICTURE.shape[1], PICTURE.shape[0]), 0.0)
    look = VehicleLook(write_look(tmp_path / "k.onnx"), OnnxOptions())
    detector = LookingDetector(Finds(FOUND), look, {"cam1": floor})
    seen, other = (detector.detect(PICTURE, camera=camera) for camera in ("cam1", "cam2"))
    assert seen.kind_shares is not None
    assert other.kind_shares is not None
    one = FOUND.take(np.array([0]))
    beside = numbers(one, floor)
    assert beside[BY_BOX] == 1
    np.testing.assert_allclose(seen.kind_shares.values[0], expected(FOUND.boxes[0], beside)[0], atol=1e-4)
    np.testing.assert_allclose(other.kind_shares.values[0], expected(FOUND.boxes[0])[0], atol=1e-4)
    cropped = detector.detect(PICTURE[:50], camera="cam1").kind_shares
    unknown = detector.detect(PICTURE[:50], camera="cam2").kind_shares
    assert cropped is not None
    assert unknown is not None
    np.testing.assert_array_equal(cropped.values[0], unknown.values[0], "of another shape than it was calibrated at")


def test_many_vehicles_are_looked_at_in_parts(tmp_path: Path) -> None:
    look = VehicleLook(write_look(tmp_path / "k.onnx"), OnnxOptions())
    corners = np.random.default_rng(0).uniform(0, 60, (70, 2))
    boxes = np.concatenate([corners, corners + np.random.default_rng(1).uniform(5, 90, (70, 2))], axis=1)
    found = Detections.of("", 0.0, boxes, "car")
    for told, single in zip(look.tell(PICTURE, found), zip(*map(expected, boxes), strict=True), strict=True):
        np.testing.assert_allclose(told, np.array(single), atol=1e-5)
    assert [each.shape for each in look.tell(PICTURE, found.take(np.zeros(0, np.int64)))] == [(0, 3), (0, 2)]


def test_where_nothing_is_found_nothing_is_told(tmp_path: Path) -> None:
    nothing = Detections.of("", 0.0, np.zeros((0, 4)), [], np.zeros(0), np.zeros((0, 2)))
    found = looking(tmp_path, nothing).detect(PICTURE)
    assert len(found) == 0
    assert found.kind_shares is not None
    assert (found.kind_shares.names, found.kind_shares.values.shape) == (tuple(KINDS), (0, 3))


@pytest.mark.parametrize("tiles", [None, TileOptions(columns=2, rows=1)])
def test_behind_tiles_or_not_vehicles_are_looked_at_once_and_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiles: TileOptions | None
) -> None:
    asked = list[FloorBelow | None]()
    own = looking(tmp_path, FOUND.take(np.array([0])))
    tell = own.look.tell
    monkeypatch.setattr(
        own.look, "tell", lambda picture, found, floor: (asked.append(floor), tell(picture, found, floor))[1]
    )
    monkeypatch.setattr("twin.video.watch.make_detector", lambda name, options: own)
    floor = FloorBelow(camera_over(PICTURE.shape[1], PICTURE.shape[0]), 0.0)
    detector = DetectionOptions(tiles=tiles, floors={"cam1": floor}).make()
    detector.detect(PICTURE, camera="cam1")
    detector.detect(PICTURE, camera="cam2")
    assert asked == [floor, None]


def test_its_colours_stay_where_another_network_describes(tmp_path: Path) -> None:
    found = looking(tmp_path, FOUND).detect(PICTURE)
    described = Described(
        vectors=np.ones((4, 1), dtype=np.float32),
        kinds=Shares(names=("car", "person"), values=np.full((4, 2), 0.5)),
        colours=Shares(names=("white",), values=np.ones((4, 1))),
    )
    again = with_description(found, np.arange(4), described)
    assert again.colour_shares is found.colour_shares
    assert again.kinds == found.kinds


@pytest.mark.parametrize(
    "about",
    [
        {},
        [],
        {"kinds": KINDS},
        {"kinds": 3, "colours": COLOURS},
        {"kinds": [], "colours": COLOURS},
        {"kinds": ["car", "car", "van"], "colours": COLOURS},
        {"kinds": ["car", "x" * 101, "van"], "colours": COLOURS},
        {"kinds": ["car", "person", "van"], "colours": COLOURS},
    ],
)
def test_files_of_others_are_refused(tmp_path: Path, about: object) -> None:
    with pytest.raises(InputError, match=r"vehicles that|words|no vehicle"):
        VehicleLook(write_look(tmp_path / "k.onnx", about), OnnxOptions())


def test_networks_of_other_sizes_are_refused(tmp_path: Path) -> None:
    about = {"kinds": [*KINDS, "suv"], "colours": COLOURS}
    with pytest.raises(InputError, match="not 6 numbers"):
        VehicleLook(write_look(tmp_path / "k.onnx", about, NUMBERS + 1), OnnxOptions())


def test_networks_that_take_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not crops"):
        VehicleLook(write_look(tmp_path / "k.onnx", numbers=NUMBERS + 1), OnnxOptions())
