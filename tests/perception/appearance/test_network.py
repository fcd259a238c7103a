"""Crops described: vectors, kinds and colours, joined with what a detector said."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from geometry.errors import ImageError, InputError
from perception.appearance.network import (
    OWN_KEY,
    AppearanceNetwork,
    DescribingDetector,
    cut_out,
    prepare_crop,
)
from perception.detections import Detections
from perception.shares import Shares

KINDS, COLOURS = ["car", "van", "person"], ["red", "green", "blue"]


def write_network(path: Path, about: dict[str, object] | None) -> Path:
    """Write one whose vector, kinds and colours are the mean of each channel, times 20 for the last two."""
    nodes = [
        helper.make_node("ReduceMean", ["pictures"], ["embedding"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["embedding", "twenty"], ["kinds"]),
        helper.make_node("Mul", ["embedding", "twenty"], ["colours"]),
    ]
    told = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in ("embedding", "kinds", "colours")
    ]
    given = [helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["n", 3, 96, 96])]
    constant = numpy_helper.from_array(np.array(20.0, dtype=np.float32), "twenty")
    model = helper.make_model(
        helper.make_graph(nodes, "mean", given, told, [constant]), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 9
    if about is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = OWN_KEY, json.dumps(about)
    onnx.save(model, str(path))
    return path


@pytest.fixture
def network(tmp_path: Path) -> AppearanceNetwork:
    return AppearanceNetwork(write_network(tmp_path / "a.onnx", {"kinds": KINDS, "colours": COLOURS}))


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (40, 60)) -> NDArray[np.uint8]:
    return np.full((*size, 3), colour, dtype=np.uint8)


def test_crops_get_vectors_and_probabilities(network: AppearanceNetwork) -> None:
    described = network.describe([plain((255, 0, 0)), plain((0, 0, 255), (200, 300)), plain((0, 200, 0))] * 20)
    assert described.vectors.shape == (60, 3)
    np.testing.assert_allclose(described.vectors[:3], np.eye(3)[[0, 2, 1]], atol=1e-6)
    assert described.colours.named(1) == {"blue": 1.0}
    none = network.describe([])
    assert (len(none.vectors), len(none.kinds), len(none.colours)) == (0, 0, 0)


class Finds:
    """A detector that always finds what it was told."""

    name = "finds"

    def __init__(self, found: Detections) -> None:
        self.found = found

    def detect(self, picture: NDArray[np.uint8], *, camera: str = "", time: float = 0.0) -> Detections:
        return self.found


def test_detections_are_described_where_they_are_large_enough(network: AppearanceNetwork) -> None:
    picture = np.zeros((100, 200, 3), dtype=np.uint8)
    picture[:, 100:] = (0, 255, 0)
    boxes = [[110, 10, 180, 60], [10, 10, 20, 20], [120, 20, 150, 90]]
    shares = Shares(names=("car", "van"), values=np.array([[0.7, 0.3], [1.0, 0.0], [np.nan, np.nan]]))
    found = Detections(**vars(Detections.of("c", 1.0, boxes, ["car", "car", "person"])) | {"kind_shares": shares})
    told = DescribingDetector(Finds(found), network).detect(picture)
    assert told.kinds == ("car", "car", "person"), "the crop says van clearly, but the detector tells kinds itself"
    assert told.kind_shares is shares
    assert told.embeddings is not None
    assert told.colour_shares is not None
    np.testing.assert_array_equal(np.isnan(told.embeddings).all(axis=1), [False, True, False])
    assert told.colour_shares.named(0)["green"] > 0.99
    assert told.colour_shares.named(2) == {}
    nothing = DescribingDetector(Finds(found.take(np.array([1]))), network).detect(picture)
    assert nothing.embeddings is None
    assert len(DescribingDetector(Finds(found.take(np.array([], dtype=np.int64))), network).detect(picture)) == 0


def test_a_detector_without_kinds_gets_the_networks(network: AppearanceNetwork) -> None:
    found = Detections.of("c", 0.0, [[0, 0, 50, 50], [0, 0, 50, 50]], ["vehicle", "bus"])
    told = DescribingDetector(Finds(found), network).detect(plain((0, 255, 0), (60, 60)))
    assert told.kinds == ("van", "bus"), "what the network does not know it leaves"
    assert told.kind_shares is not None
    assert "person" not in told.kind_shares.names


def test_networks_of_others_are_refused(tmp_path: Path) -> None:
    for about in (None, {"kinds": KINDS}, {"kinds": [1], "colours": COLOURS}):
        with pytest.raises(InputError, match=r"training\.export"):
            AppearanceNetwork(write_network(tmp_path / "b.onnx", about))
    (tmp_path / "c.onnx").write_bytes(b"no network")
    with pytest.raises(InputError, match="can't load"):
        AppearanceNetwork(tmp_path / "c.onnx")


def test_crops_lie_inside_the_picture() -> None:
    picture = np.arange(100 * 200 * 3, dtype=np.int64).reshape(100, 200, 3).astype(np.uint8)
    for box in ([0, 0, 200, 100], [-5, -5, 3, 3], [198, 98, 230, 130], [50, 50, 50.2, 50.2]):
        crop = cut_out(picture, np.array(box, dtype=np.float64))
        assert min(crop.shape) > 0
    assert prepare_crop(picture).shape == (3, 96, 96)
    with pytest.raises(ImageError):
        prepare_crop(np.zeros((0, 4, 3), dtype=np.uint8))
