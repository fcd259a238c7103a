from pathlib import Path

import numpy as np
import pytest

from geometry.errors import InputError
from perception import onnx_network
from perception.appearance.network import AppearanceNetwork
from perception.detection.onnx_detector import OnnxDetector
from perception.onnx_network import OnnxNetwork
from tests.perception.detection.exports import write_network
from twin.onnx_embedding import OnnxEmbedding

LOADERS = [OnnxNetwork, OnnxDetector, AppearanceNetwork, OnnxEmbedding]


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return write_network(tmp_path / "a.onnx", [np.zeros((1, 6), dtype=np.float32)])


def test_a_network_has_a_name_that_tells_its_content(network: Path, tmp_path: Path) -> None:
    loaded = OnnxNetwork(network)
    assert loaded.name.startswith("a.onnx#")
    assert OnnxNetwork(network, threads=1).name == loaded.name
    (tmp_path / "b").mkdir()
    other = write_network(tmp_path / "b" / "a.onnx", [np.ones((1, 6), dtype=np.float32)])
    assert OnnxNetwork(other).name != loaded.name


@pytest.mark.parametrize("load", LOADERS)
def test_a_file_that_is_too_large_is_not_read(load: type, tmp_path: Path) -> None:
    """It is a hole of a terabyte: to read it would take all memory."""
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(InputError, match="larger than 1024 MiB") as refused:
        load(path)
    assert refused.value.where == str(path)


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("name", ["absent.onnx", ".", "/dev/zero"])
def test_what_is_no_file_is_not_read(load: type, name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't read the network"):
        load(tmp_path / name)


def test_a_file_that_grows_is_read_up_to_the_bound(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_network, "MAX_FILE_BYTES", network.stat().st_size - 1)
    with pytest.raises(InputError, match="larger than"):
        OnnxNetwork(network)
