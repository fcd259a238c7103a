"""Networks with 8-bit integers: they answer about as the float ones do, and say what those say."""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

from geometry.errors import InputError
from perception.detection.close_crops import CLOSE, NUMBERS
from perception.detection.crop_network import AT_ONCE, feed_of
from perception.detection.making import make_detector
from perception.detection.onnx_detector import OnnxDetector, OnnxOptions
from perception.detection.refined import OWN_KEY, RefinedDetector
from perception.detection.vehicle_look import LookingDetector
from perception.detections import Detections
from training.export import export
from training.integers import Feed, detector_feed, quantize, refiner_feed, said, vehicle_feed
from training.refiner_network import RefinerNetwork

ABOUT = {OWN_KEY: '{"kinds": ["car"], "proposals": 0.2}'}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("networks") / "refiner.onnx"
    torch.manual_seed(0)
    example = torch.zeros(1, 3, CLOSE.height, CLOSE.width), torch.zeros(1, NUMBERS)
    export(RefinerNetwork(), example, path, ABOUT, ["rows"], inputs=["pictures", "numbers"])
    return path


def feed(seed: int) -> Feed:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (4, 6, 9, 3), dtype=np.uint8)
    crops = np.stack([cv2.resize(each, (CLOSE.width, CLOSE.height)) for each in coarse])
    return feed_of(crops, rng.standard_normal((4, NUMBERS)).astype(np.float32))


def answers(path: Path, given: Feed) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, given)[0])


def test_integers_answer_about_as_floats_do(network: Path, tmp_path: Path) -> None:
    smaller = tmp_path / "refiner-int8.onnx"
    quantize(network, smaller, (feed(seed) for seed in range(8)))
    assert list(tmp_path.iterdir()) == [smaller]
    assert smaller.stat().st_size < 0.6 * network.stat().st_size  # 0.54 measured
    asked = feed(99)
    exact, rough = answers(network, asked), answers(smaller, asked)
    assert not np.array_equal(exact, rough)
    assert np.corrcoef(exact.ravel(), rough.ravel())[0, 1] > 0.999  # 1 - 1e-9 measured
    assert said(smaller, OWN_KEY) == said(network, OWN_KEY)


def test_without_anything_to_look_at_there_are_no_integers(network: Path, tmp_path: Path) -> None:
    nothing = {name: values[:0] for name, values in feed(0).items()}
    with pytest.raises(InputError, match="no picture shows anything"):
        quantize(network, tmp_path / "refiner-int8.onnx", iter([nothing]))
    assert not list(tmp_path.iterdir())


class Found:
    """A detector that finds the same in every picture."""

    name = "found"

    def __init__(self, boxes: np.ndarray) -> None:
        self.boxes = boxes

    def detect(self, picture: np.ndarray, *, camera: str = "", time: float = 0.0) -> Detections:
        kinds = ["person" if i % 5 == 4 else "car" for i in range(len(self.boxes))]
        return Detections.of(camera, time, self.boxes, kinds, np.linspace(0.9, 0.3, len(self.boxes)))


def test_ranges_come_from_what_each_network_is_really_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    looking = make_detector("tiepoint", OnnxOptions(threads=1, score=0.01))
    assert isinstance(looking, LookingDetector)
    both = looking.detector
    assert isinstance(both, RefinedDetector)
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 300, (AT_ONCE + 8, 2))
    boxes = np.hstack([corners, corners + rng.uniform(20, 90, (AT_ONCE + 8, 2))])
    monkeypatch.setattr(both, "detector", Found(boxes))
    picture = cv2.resize(rng.integers(0, 255, (9, 16, 3), dtype=np.uint8), (640, 360))
    asked: list[Feed] = []

    def spied(crops: np.ndarray, numbers: np.ndarray) -> Feed:
        asked.append(feed_of(crops, numbers))
        return asked[-1]

    monkeypatch.setattr("perception.detection.crop_network.feed_of", spied)
    looking.detect(picture)
    monkeypatch.undo()
    monkeypatch.setattr(both, "detector", Found(boxes))
    of_refiner, *rest = asked
    assert len(of_refiner["numbers"]) == AT_ONCE
    same(refiner_feed(both, picture), of_refiner)
    same(vehicle_feed(both, looking.look, picture), rest[1])
    assert detector_feed(picture)["pictures"].shape == (1, 3, 384, 640)


def same(own: Feed, other: Feed) -> None:
    assert own.keys() == other.keys()
    for name, values in own.items():
        np.testing.assert_array_equal(values, other[name])


@pytest.mark.parametrize("name", ["tiepoint", "tiepoint-fast"])
def test_the_shipped_integers_tell_how_they_err_themselves(name: str) -> None:
    floats, integers = (make_detector(each, OnnxOptions(threads=1)) for each in (name, f"{name}-int8"))
    assert isinstance(floats, LookingDetector | OnnxDetector)
    assert isinstance(integers, LookingDetector | OnnxDetector)
    assert floats.habits is not None
    assert integers.habits is not None
    assert integers.habits != floats.habits
    assert integers.habits.persist_s == floats.habits.persist_s
    assert integers.habits.detected == pytest.approx(floats.habits.detected, abs=0.05)
    assert integers.habits.box_share == pytest.approx(floats.habits.box_share, abs=0.01)
