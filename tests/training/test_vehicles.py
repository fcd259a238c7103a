"""The look at vehicles is trained on what labels say can be seen, and its export answers as what was trained."""

import argparse
import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from geometry.errors import InputError
from perception.detection.onnx_detector import OnnxOptions
from perception.detection.vehicle_look import SHAPE, VehicleLook, shape_numbers
from perception.detection.windows import cut, windows_of
from training import vehicles
from training.colours import COLOURS
from training.detector_network import KINDS
from training.export import export_vehicles
from training.labelled import Labelled
from training.restoring import load_weights
from training.vehicle_network import VehicleNetwork
from training.vehicles import NO_COLOUR, crops_of, judge, train, vehicles_of


def label(kind: str, colour: str | None, bbox: tuple[float, ...], visible: float = 1.0) -> dict[str, object]:
    return {"kind": kind, "colour": colour, "bbox": list(bbox), "visible": visible}


def picture(*labels: dict[str, object], paint: tuple[int, int, int] = (150, 26, 28)) -> Labelled:
    pixels = np.full((240, 320, 3), 60, dtype=np.uint8)
    for each in labels:
        x1, y1, x2, y2 = np.array(each["bbox"]).astype(int).tolist()
        pixels[y1:y2, x1:x2] = paint
    return Labelled("a.jpg", pixels, list(labels))


def easy(count: int) -> vehicles.Vehicles:
    """Return vans that are wide and red, and cars that are high and white."""
    red = picture(label("van", "red", (20, 40, 220, 120)))
    white = picture(label("car", "white", (50, 20, 110, 200)), paint=(222, 223, 222))
    return vehicles_of([red, white] * count)


def test_what_can_not_be_seen_and_people_are_left_out() -> None:
    one = picture(
        label("van", "red", (20, 40, 120, 90)),
        label("suv", None, (150, 40, 250, 90)),
        label("car", "blue", (20, 100, 120, 150), visible=0.1),
        label("car", "blue", (20, 160, 24, 164)),
        label("person", None, (200, 160, 220, 220)),
    )
    found = vehicles_of([picture(), one])
    assert found.kind.tolist() == [KINDS.index("van"), KINDS.index("suv")]
    assert found.colour.tolist() == [COLOURS.index("red"), NO_COLOUR]
    assert found.picture.tolist() == [1, 1]
    with pytest.raises(InputError, match="no vehicle"):
        vehicles_of([picture()])


def test_crops_show_the_vehicle_and_numbers_their_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vehicles, "JITTER", 0.0)
    found, chosen = easy(3), np.array([3, 0, 1])
    monkeypatch.setattr(vehicles, "COARSER", 0.0)
    crops, numbers = crops_of(found, chosen, np.random.default_rng(0))
    middle = crops[:, :, SHAPE.height // 2, SHAPE.width // 2].numpy() * 255
    np.testing.assert_allclose(middle, [(222, 223, 222), (150, 26, 28), (222, 223, 222)], atol=1.0)
    fine = shape_numbers(found.boxes[chosen], windows_of(found.boxes[chosen], SHAPE))
    np.testing.assert_allclose(numbers, fine, atol=1e-5)
    monkeypatch.setattr(vehicles, "COARSER", 1.0)
    _, coarse = crops_of(found, chosen, np.random.default_rng(0))
    assert (coarse[:, 0].numpy() > fine[:, 0]).all(), "a picture of fewer pixels is enlarged more"


def test_some_steps_teach_what_is_easy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clock = itertools.count()
    monkeypatch.setattr(vehicles, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    monkeypatch.setattr(vehicles, "BATCH", 8)
    monkeypatch.setattr(vehicles, "WARM_UP", 2)
    torch.manual_seed(0)
    network = VehicleNetwork()
    before = judge(network.eval(), easy(4))
    average = train(network, easy(4), argparse.Namespace(seed=0, minutes=40.5 / 60, out=tmp_path / "v.pt"))
    after = judge(average, easy(4))
    # Measured 0.45.
    assert after["cross_entropy"] < 0.7 * before["cross_entropy"]  # type: ignore[operator]
    assert after["vehicles"] == 8


def test_an_export_answers_as_what_was_trained_and_can_be_gone_on_with(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = VehicleNetwork().eval()
    export_vehicles(network.state_dict(), tmp_path / "vehicles.onnx")
    look = VehicleLook(tmp_path / "vehicles.onnx", OnnxOptions(threads=1))
    assert (look.kinds, look.colours) == (KINDS, COLOURS)
    pixels = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
    boxes = np.array([[10.0, 10, 90, 60], [-20, 40, 40, 110], [100, 5, 130, 100]])
    windows = windows_of(boxes, SHAPE)
    crops = torch.from_numpy(cut(pixels, windows, SHAPE)).permute(0, 3, 1, 2).float() / 255
    numbers = torch.from_numpy(shape_numbers(boxes, windows))
    with torch.no_grad():
        kinds, colours = network(crops, numbers).split([len(KINDS), len(COLOURS)], dim=1)
    told = look.tell(pixels, boxes)
    np.testing.assert_allclose(told[0], kinds.softmax(dim=1).numpy(), atol=1e-4)
    np.testing.assert_allclose(told[1], colours.softmax(dim=1).numpy(), atol=1e-4)
    again = VehicleNetwork().eval()
    load_weights(again, tmp_path / "vehicles.onnx", crops, numbers)
    with torch.no_grad():
        torch.testing.assert_close(again(crops, numbers), torch.cat([kinds, colours], dim=1), atol=1e-3, rtol=1e-3)
