"""The network of stalls, loaded: what it says is what was trained, however many stalls there are at once."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from geometry.errors import InputError
from perception.occupancy.network import (
    AT_ONCE,
    MOST,
    OWN_KEY,
    SHIPPED,
    StallNetwork,
    StallSight,
    stall_network_file,
    stall_network_for,
)
from perception.occupancy.stall_crops import CHANNELS, HEIGHT_PX, WIDTH_PX, mirrored, network_input
from scenes.captures.views import look
from tests.perception.occupancy.networks import PER_LEVEL, TURNS, write_network
from tests.perception.occupancy.sights import PINHOLE, SIZE, lens, stall
from training.export import export
from training.stall_network import StallNetwork as Trained

SLOPE = 0.8


def looked_at(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(count)
    crops = rng.integers(0, 256, (count, 5, 8, 3), dtype=np.uint8).repeat(16, axis=1).repeat(16, axis=2)
    places = rng.uniform(-1, 1, (count, 4, 5, 8)).astype(np.float32).repeat(16, axis=2).repeat(16, axis=3)
    return crops, places


@pytest.fixture(scope="module")
def trained() -> Trained:
    """One that has learnt nothing, but whose last layer says differing things of differing crops."""
    torch.manual_seed(0)
    network = Trained().eval()
    given = torch.from_numpy(network_input(*looked_at(6)))
    with torch.no_grad():
        said = network(given)
        last = network.tell[-1]
        scale = 2.0 / said.std()
        last.bias.sub_(said.mean()).mul_(scale)
        last.weight.mul_(scale)
    return network


@pytest.fixture(scope="module")
def network(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> StallNetwork:
    path = tmp_path_factory.mktemp("network") / "stalls.onnx"
    example = torch.zeros(1, CHANNELS, HEIGHT_PX, WIDTH_PX)
    export(trained, example, path, {OWN_KEY: json.dumps({"slope": SLOPE})}, ["log_odds"])
    return StallNetwork(path, threads=1)


def test_it_says_what_was_trained(network: StallNetwork, trained: Trained) -> None:
    crops, places = looked_at(6)
    given = network_input(crops, places)
    with torch.no_grad():
        both = [trained(torch.from_numpy(each))[:, 0].numpy().astype(np.float64) for each in (given, mirrored(given))]
    expected = (both[0] + both[1]) / 2
    assert np.abs(both[0] - both[1]).max() > 0.1, "the mirror is asked too"
    assert network.slope == SLOPE
    assert expected.std() > 1
    told = network.log_odds(crops, places)
    np.testing.assert_allclose(told, np.clip(SLOPE * expected, -MOST, MOST), atol=1e-3)  # measured 3e-5


def test_many_at_once_are_told_as_one_at_a_time(network: StallNetwork) -> None:
    crops, places = looked_at(AT_ONCE + 3)
    together = network.log_odds(crops, places)
    assert together.shape == (AT_ONCE + 3,)
    for k in (0, AT_ONCE - 1, AT_ONCE, AT_ONCE + 2):
        alone = network.log_odds(crops[k : k + 1], places[k : k + 1])
        np.testing.assert_allclose(together[k], alone[0], atol=1e-3)
    assert network.log_odds(crops[:0], places[:0]).shape == (0,)


def test_probabilities_lie_between_none_and_one(network: StallNetwork) -> None:
    corners = {f"S{k}": stall(3.0 * k - 6.0) for k in range(5)}
    sight = StallSight.of(lens(*PINHOLE), look((0.0, -9.0, 4.0), np.pi / 2, -0.35), corners)
    told = sight.look(np.random.default_rng(1).integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8), network)
    assert list(told) == list(corners)
    assert all(0 < p < 1 for p in told.values())


def test_the_stall_with_something_in_it_is_told(tmp_path: Path) -> None:
    corners = {f"S{k}": stall(4.0 * k - 4.0) for k in range(3)}
    sight = StallSight.of(lens(*PINHOLE), look((0.0, -12.0, 4.0), np.pi / 2, -0.3), corners)
    picture = np.zeros((*SIZE[::-1], 3), dtype=np.uint8)
    picture[:, 420:] = (255, 0, 0)  # the last of the three stands there
    told = sight.look(picture, StallNetwork(write_network(tmp_path / "red.onnx"), threads=1))
    assert told["S0"] < 0.01
    assert told["S1"] < 0.01
    assert told["S2"] > 0.99


@pytest.mark.parametrize("slope", [0.01, 1.0, 1e6])
def test_no_look_is_believed_without_a_doubt(tmp_path: Path, slope: float) -> None:
    network = StallNetwork(write_network(tmp_path / "a.onnx", {"slope": slope}), threads=1)
    crops = np.zeros((2, HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    crops[1, ..., 0] = 255
    odds = network.log_odds(crops, np.zeros((2, 4, HEIGHT_PX, WIDTH_PX), dtype=np.float32))
    wanted = slope * PER_LEVEL * np.array([-TURNS, 1 - TURNS])
    np.testing.assert_allclose(odds, np.clip(wanted, -MOST, MOST), atol=1e-4)


def test_a_camera_without_stalls_is_told_nothing(tmp_path: Path) -> None:
    sight = StallSight.of(lens(*PINHOLE), look((0.0, -9.0, 4.0), np.pi / 2), {})
    network = StallNetwork(write_network(tmp_path / "a.onnx"), threads=1)
    assert sight.look(np.zeros((*SIZE[::-1], 3), dtype=np.uint8), network) == {}


@pytest.mark.parametrize("about", [{}, {"slope": None}, {"slope": "steep"}, [1.0], "text", {"kinds": []}])
def test_networks_of_others_are_refused(tmp_path: Path, about: object) -> None:
    with pytest.raises(InputError, match=r"training\.export") as told:
        StallNetwork(write_network(tmp_path / "b.onnx", about))
    assert str(tmp_path / "b.onnx") in str(told.value)


def test_a_network_of_crops_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"crops of \[7, 80, 80\], not of \[7, 80, 128\]"):
        StallNetwork(write_network(tmp_path / "b.onnx", size=(80, 80)))


def test_networks_that_say_nothing_of_themselves_are_refused(tmp_path: Path) -> None:
    for key, value in ((None, ""), (OWN_KEY, "no json"), ("other", "{}")):
        model = onnx.load(str(write_network(tmp_path / "c.onnx")))
        del model.metadata_props[:]
        if key is not None:
            entry = model.metadata_props.add()
            entry.key, entry.value = key, value
        onnx.save(model, str(tmp_path / "c.onnx"))
        with pytest.raises(InputError, match=r"training\.export"):
            StallNetwork(tmp_path / "c.onnx")


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.onnx").write_bytes(b"no network")
    with pytest.raises(InputError, match="can't load"):
        StallNetwork(tmp_path / "d.onnx")
    with pytest.raises(InputError, match="no such file"):
        StallNetwork(tmp_path / "absent.onnx")


def test_networks_have_names() -> None:
    assert stall_network_file(SHIPPED).name == "stalls.onnx"
    assert stall_network_file("some/where.onnx") == Path("some/where.onnx")


@pytest.mark.parametrize(
    ("name", "detector", "expected"),
    [
        (None, "tiepoint", "stalls.onnx"),
        (None, "tiepoint-int8", "stalls.onnx"),
        (None, "tiepoint-fast", "stalls.onnx"),
        (None, "tiepoint-fast-int8", "stalls.onnx"),
        (None, "background", None),
        (None, "yolox_nano.onnx", None),
        ("none", "tiepoint", None),
        ("tiepoint", "background", "stalls.onnx"),
        ("some/where.onnx", "background", "where.onnx"),
    ],
)
def test_stalls_are_looked_at_beside_the_own_detector_unless_told_otherwise(
    name: str | None, detector: str, expected: str | None
) -> None:
    found = stall_network_for(name, detector)
    assert (None if found is None else found.name) == expected
