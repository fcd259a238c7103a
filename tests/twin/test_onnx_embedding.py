"""Embedding by a network that happens to be installed with the reader of texts."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from geometry import InputError
from twin.onnx_embedding import OnnxEmbedding


def network() -> Path:
    found = find_spec("rapidocr_onnxruntime")
    if found is None or found.origin is None or find_spec("onnxruntime") is None:
        pytest.skip("rapidocr_onnxruntime, whose network is used, is not installed")
    return next(Path(found.origin).parent.glob("models/*cls*.onnx"))


def test_a_crop_becomes_a_vector_of_unit_length_with_a_version() -> None:
    embedding = OnnxEmbedding(network())
    crop = np.random.default_rng(1).integers(0, 255, (30, 50, 3)).astype(np.uint8)
    vector = embedding.embed(crop)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(vector, OnnxEmbedding(network()).embed(crop.copy()))
    assert embedding.name.split("#")[0].endswith(".onnx")
    with pytest.raises(InputError, match="a crop is"):
        embedding.embed(crop[:, :0])


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    network()
    (tmp_path / "a.onnx").write_bytes(b"no network")
    with pytest.raises(InputError, match="can't load the network"):
        OnnxEmbedding(tmp_path / "a.onnx")
