"""Networks in files: boxes in the picture's pixels, names and kinds, and files that are refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from geometry.errors import InputError
from perception.detection.heads.candidates import cell_count
from perception.detection.onnx_detector import OnnxDetector, OnnxOptions, available_providers
from tests.perception.detection.exports import SIZE, cell_of, write_network, yolox_rows
from tests.support import real_data

PICTURE = np.zeros((256, 320, 3), dtype=np.uint8)
BOXES = np.array([[40.0, 40, 70, 60], [100, 20, 112, 60], [41, 41, 71, 60]])
CAR, PERSON, TRUCK, CHAIR = 2, 0, 7, 56


@pytest.fixture
def yolox(tmp_path: Path) -> Path:
    rows = yolox_rows(BOXES[:2], [CAR, PERSON], [0.9, 0.8])
    return write_network(tmp_path / "yolox.onnx", [rows[None].astype(np.float32)])


def test_boxes_are_in_the_pictures_pixels(yolox: Path) -> None:
    detector = OnnxDetector(yolox)
    found = detector.detect(PICTURE, camera="cam1", time=12.5)
    assert detector.layout == "yolox"
    assert (found.camera, found.time, found.kinds) == ("cam1", 12.5, ("car", "person"))
    np.testing.assert_allclose(found.boxes, BOXES[:2] * 2, atol=1e-3)
    np.testing.assert_allclose(found.scores, [0.9, 0.8], atol=1e-6)


def test_an_object_is_not_a_car_and_a_truck(tmp_path: Path) -> None:
    rows = yolox_rows(BOXES, [CAR, CHAIR, TRUCK], [0.9, 0.8, 0.7])
    # the two boxes have their middles in one cell of the finest grid; move the second one by hand
    rows = np.maximum(rows, yolox_rows(BOXES[:1] + 8, [TRUCK], [0.7]))
    path = write_network(tmp_path / "a.onnx", [rows[None].astype(np.float32)])
    by_family = OnnxDetector(path, OnnxOptions(iou=0.2)).detect(PICTURE)
    by_class = OnnxDetector(path, OnnxOptions(iou=0.2, among="class")).detect(PICTURE)
    assert by_family.kinds == ("car",)
    assert set(by_class.kinds) == {"car", "truck"}


def test_classes_are_mapped_as_told(yolox: Path) -> None:
    found = OnnxDetector(yolox, OnnxOptions(classes={"person": "person", "car": "van"})).detect(PICTURE)
    assert found.kinds == ("van", "person")
    with pytest.raises(InputError, match="Did you mean 'car'"):
        OnnxDetector(yolox, OnnxOptions(classes={"carr": "car"}))
    with pytest.raises(InputError, match="none of the network's classes"):
        OnnxDetector(yolox, OnnxOptions(classes={}))


def test_names_come_from_the_file(tmp_path: Path) -> None:
    rows = np.zeros((1, 4 + 2, cell_count(SIZE)), dtype=np.float32)
    rows[0, :, 5] = [50, 50, 20, 10, 0.1, 0.8]
    names = {"names": "{0: 'tree', 1: 'Bus'}"}
    found = OnnxDetector(write_network(tmp_path / "v8.onnx", [rows], metadata=names)).detect(PICTURE)
    assert found.kinds == ("bus",)
    for wrong in ("{0: 'tree', 1: open('x')}", "[[", "{'a': 'b'}", "7"):
        with pytest.raises(InputError, match="class names"):
            OnnxDetector(write_network(tmp_path / "wrong.onnx", [rows], metadata={"names": wrong}))
    with pytest.raises(InputError, match="2 classes and there are 3 names"):
        OnnxDetector(tmp_path / "v8.onnx", OnnxOptions(names=("a", "b", "c"), layout="yolov8"))
    nameless = write_network(tmp_path / "none.onnx", [rows])
    with pytest.raises(InputError, match="Name one of: yolov8, rt-detr"):
        OnnxDetector(nameless)
    with pytest.raises(InputError, match="no names"):
        OnnxDetector(nameless, OnnxOptions(layout="yolov8"))


def test_an_export_that_asks_for_the_size_gets_it(tmp_path: Path) -> None:
    outputs = [
        np.array([[CAR, PERSON]], dtype=np.int64),
        np.array([[[10, 10, 50, 40], [0, 0, 5, 20]]], dtype=np.float32),
        np.array([[0.9, 0.1]], dtype=np.float32),
    ]
    found = OnnxDetector(write_network(tmp_path / "d.onnx", outputs, asks_size=True)).detect(PICTURE)
    assert found.kinds == ("car",)
    np.testing.assert_allclose(found.boxes, [[20, 20, 100, 80]])


def test_our_own_network_tells_kinds_as_probabilities(tmp_path: Path) -> None:
    kinds = ["car", "van", "suv"]
    rows = np.full((cell_count((64, 96)), 4 + 2 + 3 + 2), -9.0, dtype=np.float32)
    cell = cell_of(np.array([30.0, 30, 50, 50]), (64, 96))
    rows[cell] = [0, 0, 0, 0, 3, -9, 0, 1, 0, 0.5, 1.0]
    rows[3] = [0.5, 0.5, 0.5, 0.5, -9, 3, 0, 0, 0, 0, 0]
    about = {"tiepoint_detector": json.dumps({"kinds": kinds, "longest_px": 96})}
    path = write_network(tmp_path / "own.onnx", [rows[None]], ("h", "w"), about)
    # what answers always the same can only be asked about pictures of one shape
    with pytest.raises(InputError, match="laid out"):
        OnnxDetector(path)
    path = write_network(tmp_path / "own.onnx", [rows[None]], (64, 96), about)
    found = OnnxDetector(path).detect(np.zeros((64, 96, 3), dtype=np.uint8))
    assert sorted(found.kinds) == ["person", "van"]
    assert found.kind_shares is not None
    by_kind = {kind: found.kind_shares.named(i) for i, kind in enumerate(found.kinds)}
    assert by_kind["person"] == {}
    van = found.kinds.index("van")
    middle, stride = found.boxes[van].reshape(2, 2).mean(axis=0), (found.boxes[van, 2] - found.boxes[van, 0]) / 2
    np.testing.assert_allclose(found.feet[van], middle + stride * np.array([0.5, 1.0]))
    assert by_kind["van"] == pytest.approx({"van": 0.576, "car": 0.212, "suv": 0.212}, abs=1e-3)
    for wrong in ("{", '{"kinds": [1], "longest_px": 96}', '{"kinds": ["car"]}'):
        with pytest.raises(InputError, match="own description"):
            OnnxDetector(write_network(tmp_path / "w.onnx", [rows[None]], (64, 96), {"tiepoint_detector": wrong}))


def test_files_that_are_no_detector_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't read"):
        OnnxDetector(tmp_path / "absent.onnx")
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(InputError, match="can't load"):
        OnnxDetector(tmp_path / "text.onnx")
    other = write_network(tmp_path / "other.onnx", [np.zeros((1, 1000), dtype=np.float32)])
    with pytest.raises(InputError, match="no known layout"):
        OnnxDetector(other)
    huge = write_network(tmp_path / "huge.onnx", [np.zeros((1, 6), dtype=np.float32)], (100_000, 100_000))
    with pytest.raises(InputError, match="at most"):
        OnnxDetector(huge)


def test_what_it_can_execute_on_is_listed_and_anything_else_refused(yolox: Path) -> None:
    assert "CPUExecutionProvider" in available_providers()
    assert OnnxDetector(yolox).providers == ("CPUExecutionProvider",)
    with pytest.raises(InputError, match=r"It can on .*CPUExecutionProvider"):
        OnnxDetector(yolox, OnnxOptions(providers=("NoSuchExecutionProvider",)))


def test_a_network_that_answers_nonsense_gives_no_boxes(tmp_path: Path) -> None:
    rows = yolox_rows(BOXES[:1], [CAR], [0.9])
    rows[:, 2] = np.nan
    rows[0] = np.inf
    with np.errstate(all="ignore"):
        found = OnnxDetector(write_network(tmp_path / "n.onnx", [rows[None].astype(np.float32)])).detect(PICTURE)
    assert len(found) == 0


@pytest.mark.parametrize("shape", [(10, 10), (10, 10, 4), (0, 5, 3)])
def test_pictures_are_rgb(yolox: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="a picture is"):
        OnnxDetector(yolox).detect(np.zeros(shape, dtype=np.uint8))


def test_a_real_network_sees_people_and_cars() -> None:
    import cv2

    weights, video = real_data("weights"), real_data("pets09_s2l1") / "vtest.avi"
    capture = cv2.VideoCapture(str(video))
    capture.set(cv2.CAP_PROP_POS_FRAMES, 99)
    picture = np.ascontiguousarray(capture.read()[1][:, :, ::-1])
    capture.release()
    found = OnnxDetector(weights / "yolox_nano.onnx", OnnxOptions(threads=1)).detect(picture)
    assert found.kinds.count("person") >= 6  # 7 of 7 to 8 on this frame
    assert set(found.kinds) <= {"person", "car", "truck"}
