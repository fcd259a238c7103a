"""The networks that come along: they load without a download, are small, and say what they know."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from geometry.errors import InputError
from geometry.solids import PRIORS
from perception.appearance.network import SHIPPED as SHIPPED_APPEARANCE
from perception.appearance.network import AppearanceNetwork, appearance_file
from perception.detection.making import SHIPPED, make_detector
from perception.detection.onnx_detector import OnnxDetector, OnnxOptions
from perception.detection.refined import RefinedDetector
from perception.detection.vehicle_look import LookingDetector

COLOURS = ("white", "black", "grey", "silver", "blue", "red", "green", "beige", "yellow")
KINDS = ("car", "hatchback", "suv", "estate", "van", "pickup", "motorcycle")


@pytest.mark.parametrize("name", SHIPPED)
def test_it_loads_and_takes_pictures_of_any_shape(name: str) -> None:
    detector = make_detector(name, OnnxOptions(threads=1))
    if isinstance(detector, LookingDetector):
        assert detector.look.kinds == KINDS
        assert detector.look.colours == COLOURS
        detector = detector.detector
    if isinstance(detector, RefinedDetector):
        assert detector.about.kinds == KINDS
        detector = detector.detector
    assert isinstance(detector, OnnxDetector)
    assert detector.layout == "tiepoint"
    assert detector.names == KINDS
    assert set(KINDS) <= set(PRIORS)
    looking = make_detector(name, OnnxOptions(threads=1))
    for shape in ((480, 640), (360, 640), (1080, 1920), (90, 70)):
        flat = np.full((*shape, 3), 128, dtype=np.uint8)
        assert len(looking.detect(flat)) == 0, "nothing is in a grey picture"


@pytest.mark.parametrize("file", sorted({file for each in SHIPPED.values() for file in each}))
def test_it_is_small(file: str) -> None:
    assert len((files("perception.weights") / file).read_bytes()) < 6_000_000  # 1.4 to 4.3 MB


def test_the_describing_network_comes_along() -> None:
    network = AppearanceNetwork(appearance_file(SHIPPED_APPEARANCE), threads=1)
    crops = [np.full((60, 90, 3), level, dtype=np.uint8) for level in (30, 220)]
    found = network.describe(crops)
    assert found.vectors.shape == (2, 128)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1.0, atol=1e-5)
    assert set(found.kinds.names) == {*KINDS, "person"}
    assert appearance_file("own.onnx") == Path("own.onnx")


def test_a_name_that_is_not_there_is_told() -> None:
    with pytest.raises(InputError, match="Did you mean 'tiepoint'"):
        make_detector("tiepoin")
