"""A detector of two stages: what the second says of a box is what comes out."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from geometry.errors import InputError
from perception.detection.close_crops import CLOSE, ENDS, NUMBERS, UNIT_PX
from perception.detection.habits import DetectorHabits
from perception.detection.heads.candidates import cell_count
from perception.detection.making import habits_of
from perception.detection.onnx_detector import OnnxOptions
from perception.detection.refined import OWN_KEY, RefinedDetector
from perception.detection.windows import cut, windows_of
from perception.detections import Detections
from tests.perception.detection.exports import cell_of, write_network
from twin.video.watch import frame_record

KINDS = ["car", "van"]
ABOUT = {"kinds": KINDS, "proposals": 0.2, "iou": 0.7, "final_iou": 0.5, "sigma_sides": 2.0, "sigma_feet": 3.0}
SIZE = (128, 160)
PICTURE = np.zeros((*SIZE, 3), dtype=np.uint8)
BOX = np.array([32.0, 32, 64, 64])


def first_stage(path: Path) -> Path:
    """Write a detector that finds a car in BOX with a score of 0.73, and one below the second stage's bound."""
    rows = np.full((cell_count(SIZE), 4 + 2 + 2 + 2), -9.0, dtype=np.float32)
    rows[cell_of(BOX, SIZE)] = [np.log(1.5), np.log(1.5), np.log(2.5), np.log(2.5), 1.0, -9, 4, 0, 0, 0]
    rows[0] = [1, 1, 1, 1, -3.0, -9, 0, 0, 0, 0]
    about = {"tiepoint_detector": json.dumps({"kinds": KINDS, "longest_px": 160})}
    return write_network(path, [rows[None]], SIZE, about)


def second_stage(path: Path, row: list[float], about: object = None, numbers: int = NUMBERS) -> Path:
    """Write a network that says the same of every crop, but for the mean of its red, added to the first number."""
    constants = {
        "row": np.array([row], dtype=np.float32),
        "first": np.eye(1, len(row), dtype=np.float32),
        "none": np.zeros((1, 1), dtype=np.float32),
        "zero": np.array([0], dtype=np.int64),
        "axes": np.array([1], dtype=np.int64),
    }
    inputs = [
        helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["n", 3, CLOSE.height, CLOSE.width]),
        helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["n", numbers]),
    ]
    nodes = [
        helper.make_node("Gather", ["pictures", "zero"], ["red"], axis=1),
        helper.make_node("ReduceMean", ["red"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["mean", "first"], ["told"]),
        helper.make_node("ReduceSum", ["numbers", "axes"], ["sum"], keepdims=1),
        helper.make_node("Mul", ["sum", "none"], ["nothing"]),
        helper.make_node("Add", ["told", "row"], ["answer"]),
        helper.make_node("Add", ["answer", "nothing"], ["rows"]),
    ]
    values = [numpy_helper.from_array(value, name=name) for name, value in constants.items()]
    out = [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", len(row)])]
    model = helper.make_model(
        helper.make_graph(nodes, "told", inputs, out, values), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 9
    entry = model.metadata_props.add()
    entry.key, entry.value = OWN_KEY, about if isinstance(about, str) else json.dumps(about or ABOUT)
    onnx.save(model, str(path))
    return path


def row(vehicle: float, person: float, moved: list[float], spread: float) -> list[float]:
    """Return an answer: log-odds, a van, ends moved by ``moved`` in crop pixels, spreads in them."""
    return [vehicle, person, 0.0, 2.0, *(each / UNIT_PX for each in moved), *[float(np.log(spread / UNIT_PX))] * ENDS]


MOVED = [4.0, 0, 0, 8, 0, -8, 0, 16, 2, -4]


def test_what_the_second_stage_says_comes_out(tmp_path: Path) -> None:
    files = first_stage(tmp_path / "a.onnx"), second_stage(tmp_path / "b.onnx", row(3.0, -5.0, MOVED, 4.0))
    detector = RefinedDetector(*files, OnnxOptions(score=0.3))
    found = detector.detect(PICTURE, camera="cam1", time=2.0)
    proposed = detector.detector.detect(PICTURE)
    np.testing.assert_allclose(proposed.boxes, [BOX], atol=1e-4)
    px = 1 / windows_of(BOX[None], CLOSE).scale[0]
    assert (found.camera, found.time, found.kinds) == ("cam1", 2.0, ("van",))
    np.testing.assert_allclose(found.scores, [1 / (1 + np.exp(-3.0))], atol=1e-6)
    np.testing.assert_allclose(found.boxes, [BOX + px * np.array(MOVED[:4])], atol=1e-4)
    np.testing.assert_allclose(found.feet, [[48 + px * 2, 64 - px * 4]], atol=1e-4)
    assert found.whole is not None
    np.testing.assert_allclose(found.whole.boxes, [BOX + px * np.array(MOVED[4:8])], atol=1e-4)
    np.testing.assert_allclose(found.whole.sigma, [[8 * px] * 4 + [12 * px] * 2], rtol=1e-5)
    assert found.kind_shares is not None
    assert found.kind_shares.named(0) == pytest.approx({"van": 0.881, "car": 0.119}, abs=1e-3)
    assert detector.name == f"{detector.detector.name}+b.onnx#{detector.name[-12:]}"


def test_it_may_be_a_person_or_nothing(tmp_path: Path) -> None:
    first = first_stage(tmp_path / "a.onnx")
    person = RefinedDetector(first, second_stage(tmp_path / "b.onnx", row(-3.0, 2.0, MOVED, 4.0)))
    found = person.detect(PICTURE)
    assert found.kinds == ("person",)
    assert found.kind_shares is not None
    assert found.kind_shares.named(0) == {}
    nothing = RefinedDetector(first, second_stage(tmp_path / "c.onnx", row(-3.0, -3.0, MOVED, 4.0)))
    assert len(nothing.detect(PICTURE)) == 0
    crossed = RefinedDetector(first, second_stage(tmp_path / "d.onnx", row(3.0, -3.0, [90.0, *[0] * 9], 4.0)))
    assert len(crossed.detect(PICTURE)) == 0, "its left side lies right of its right one"


def test_an_answer_without_bounds_is_kept_within_them(tmp_path: Path) -> None:
    wild = row(3.0, -3.0, MOVED, 4.0)
    wild[-1], wild[-2] = 80.0, -80.0
    found = RefinedDetector(first_stage(tmp_path / "a.onnx"), second_stage(tmp_path / "b.onnx", wild)).detect(PICTURE)
    assert found.whole is not None
    assert (found.whole.sigma > 0.01).all()
    assert (found.whole.sigma < 1000).all()


def test_files_that_are_no_second_stage_are_refused(tmp_path: Path) -> None:
    first, good = first_stage(tmp_path / "a.onnx"), row(3.0, -3.0, MOVED, 4.0)
    with pytest.raises(InputError, match="no second stage"):
        RefinedDetector(first, first)
    for wrong in (
        {**ABOUT, "iou": 50.0},
        {**ABOUT, "proposals": "0.5"},
        {**ABOUT, "kinds": []},
        {**ABOUT, "kinds": "car"},
        {**ABOUT, "habits": {}},
        {**ABOUT, "sigma_feet": 0.0},
        "{",
        {**ABOUT, "iou": -1.0},
        {**ABOUT, "kinds": [3]},
        {**ABOUT, "more": 1},
        {**ABOUT, "habits": {"a": 1}},
    ):
        with pytest.raises(InputError, match="can't be"):
            RefinedDetector(first, second_stage(tmp_path / "w.onnx", good, wrong))
    with pytest.raises(InputError, match="numbers"):
        RefinedDetector(first, second_stage(tmp_path / "w.onnx", good, numbers=NUMBERS + 1))
    with pytest.raises(InputError, match="answers"):
        RefinedDetector(first, second_stage(tmp_path / "w.onnx", good[:-1]))


def test_the_one_that_comes_along_says_how_it_errs() -> None:
    habits = habits_of("tiepoint")
    assert isinstance(habits, DetectorHabits)
    assert habits != habits_of("tiepoint-fast")


def test_each_box_is_answered_by_its_own_crop(tmp_path: Path) -> None:
    """More boxes than are looked at at once, each of a red of its own."""
    reds = np.linspace(0, 255, 40).round().astype(np.uint8)
    picture = np.full((40, 40 * 60, 3), 77, dtype=np.uint8)
    boxes = np.array([[60.0 * k + 10, 5, 60 * k + 40, 35] for k in range(40)])
    for k, red in enumerate(reds):
        picture[:, 60 * k : 60 * k + 60, 0] = red
    detector = RefinedDetector(
        first_stage(tmp_path / "a.onnx"), second_stage(tmp_path / "b.onnx", row(0.0, -9.0, MOVED, 4.0))
    )
    refined = detector.refine(picture, Detections.of("", 0.0, boxes, "car", 0.5))
    mean = np.log(refined.scores[:, 0] / (1 - refined.scores[:, 0]))
    inside = cut(picture, windows_of(boxes, CLOSE), CLOSE)[..., 0].mean(axis=(1, 2)) / 255
    np.testing.assert_allclose(mean, inside, atol=1e-5)
    assert (np.diff(mean[1:]) > 0).all(), "the first shows grey beyond the border"


@pytest.mark.parametrize("wrong", [[0.0] * 4 + [200.0, 0, 0, 0, 0, 0], [0.0] * 4 + [float("nan")] + [0.0] * 5])
def test_a_whole_box_that_is_none_is_not_told(tmp_path: Path, wrong: list[float]) -> None:
    second = second_stage(tmp_path / "b.onnx", row(3.0, -3.0, wrong, 4.0))
    found = RefinedDetector(first_stage(tmp_path / "a.onnx"), second).detect(PICTURE, camera="c")
    assert found.whole is not None
    assert found.whole.told.tolist() == [False]
    (record,) = frame_record(found).detections
    assert (record.whole, record.sigma) == (None, None)
    assert record.bbox == (32, 32, 64, 64)
