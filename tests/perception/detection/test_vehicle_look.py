"""A look at vehicles: they get the network's kinds and colours, and all else stays as the detector says."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from geometry.errors import InputError
from perception.detection.habits import DetectorHabits
from perception.detection.onnx_detector import OnnxOptions
from perception.detection.protocol import Pixels
from perception.detection.vehicle_look import NUMBERS, OWN_KEY, SHAPE, LookingDetector, VehicleLook, numbers_of
from perception.detection.windows import windows_of
from perception.detections import Detections

KINDS, COLOURS = ["car", "van"], ["blue"]
HABITS = DetectorHabits(
    box_share=0.03, foot_share=0.04, detected=0.9, score_slope=1.0, score_middle=0.0, objects=5.0, low_score=0.2,
    high_score=0.6,
)  # fmt: skip


def write_look(path: Path, about: object = None, numbers: int = NUMBERS) -> Path:
    """Write a network whose log-odds of two kinds and a colour are ten times the crop's mean red, green and blue."""
    constants = {"ten": np.array([10.0], dtype=np.float32), "none": np.zeros((numbers, 3), dtype=np.float32)}
    inputs = [
        helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["n", 3, SHAPE.height, SHAPE.width]),
        helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["n", numbers]),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["pictures"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "ten"], ["told"]),
        helper.make_node("MatMul", ["numbers", "none"], ["nothing"]),
        helper.make_node("Add", ["told", "nothing"], ["rows"]),
    ]
    values = [numpy_helper.from_array(value, name=name) for name, value in constants.items()]
    out = [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", 3])]
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
PICTURE[:, 60:120, 0] = 255  # red: a car
FOUND = Detections.of(
    "", 0.0,
    np.array([[10.0, 20, 50, 60], [70, 20, 110, 60], [150, 20, 160, 60]]), ["car", "van", "person"],
    np.array([0.9, 0.8, 0.7]), np.array([[30.0, 58], [90, 58], [155, 60]]),
)  # fmt: skip


def test_vehicles_get_its_kinds_and_all_else_stays(tmp_path: Path) -> None:
    look = VehicleLook(write_look(tmp_path / "k.onnx"), OnnxOptions())
    detector = LookingDetector(Finds(FOUND), look)
    found = detector.detect(PICTURE, camera="cam1", time=3.0)
    assert found.kinds == ("van", "car", "person")
    assert found.kind_shares is not None
    assert found.kind_shares.named(0)["van"] > 0.9
    assert found.kind_shares.named(2) == {}, "a person is of no kind of vehicle"
    assert found.colour_shares is not None
    assert [found.colour_shares.named(i) for i in range(3)] == [{"blue": 1.0}, {"blue": 1.0}, {}]
    assert (found.camera, found.time) == ("cam1", 3.0)
    for name in ("boxes", "scores", "feet"):
        np.testing.assert_array_equal(getattr(found, name), getattr(FOUND, name))
    assert detector.habits == HABITS, "whoever asks how it errs is told what the detector itself says"
    assert detector.name == f"finds+{look.name}"


def test_many_vehicles_are_looked_at_in_parts(tmp_path: Path) -> None:
    look = VehicleLook(write_look(tmp_path / "k.onnx"), OnnxOptions())
    boxes = np.tile(FOUND.boxes[:2], (40, 1))
    for told, few in zip(look.tell(PICTURE, boxes), look.tell(PICTURE, FOUND.boxes[:2]), strict=True):
        np.testing.assert_allclose(told, np.tile(few, (40, 1)), atol=1e-6)
        np.testing.assert_allclose(told.sum(axis=1), 1.0)
    assert [each.shape for each in look.tell(PICTURE, np.zeros((0, 4)))] == [(0, 2), (0, 1)]


def test_where_nothing_is_found_nothing_is_told(tmp_path: Path) -> None:
    nothing = Detections.of("", 0.0, np.zeros((0, 4)), [], np.zeros(0), np.zeros((0, 2)))
    detector = LookingDetector(Finds(nothing), VehicleLook(write_look(tmp_path / "k.onnx"), OnnxOptions()))
    assert len(detector.detect(PICTURE)) == 0


def test_numbers_tell_what_a_crop_does_not() -> None:
    boxes = np.array([[0.0, 0, 64, 32], [0, 0, 128, 64]])
    told = numbers_of(boxes, windows_of(boxes, SHAPE))
    np.testing.assert_allclose(told[:, 0], np.log(SHAPE.width / (SHAPE.context * np.array([64, 128]))), rtol=1e-6)
    np.testing.assert_allclose(told[:, 1], np.log(2.0), rtol=1e-6)


@pytest.mark.parametrize(
    "about", [{}, [], {"kinds": KINDS}, {"kinds": 3, "colours": COLOURS}, {"kinds": [], "colours": COLOURS}]
)
def test_files_of_others_are_refused(tmp_path: Path, about: object) -> None:
    with pytest.raises(InputError, match=r"vehicles that|words"):
        VehicleLook(write_look(tmp_path / "k.onnx", about), OnnxOptions())


def test_networks_of_other_sizes_are_refused(tmp_path: Path) -> None:
    about = {"kinds": [*KINDS, "pickup"], "colours": COLOURS}
    with pytest.raises(InputError, match="not 4 numbers"):
        VehicleLook(write_look(tmp_path / "k.onnx", about), OnnxOptions())


def test_networks_that_take_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not crops"):
        VehicleLook(write_look(tmp_path / "k.onnx", numbers=NUMBERS + 1), OnnxOptions())
