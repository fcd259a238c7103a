"""The look at vehicles is trained on what labels say can be seen, and its export answers as what was trained."""

import argparse
import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from geometry.errors import InputError
from perception.detection.floor_below import FloorBelow
from perception.detection.onnx_detector import OnnxOptions
from perception.detection.protocol import Pixels
from perception.detection.vehicle_look import SHAPE, VehicleLook
from perception.detection.vehicle_numbers import BY_BOX, FLAG, MEASURES, Known, numbers_of
from perception.detection.windows import cut, windows_of
from perception.detections import Detections
from perception.shares import Shares
from scenes.library import facility
from scenes.objects import VehicleSpec
from tests.perception.sites import camera_over
from training import vehicle_samples, vehicles
from training.colours import COLOURS
from training.detector_network import KINDS, Detector
from training.export import export_vehicles
from training.labelled import Labelled
from training.restoring import load_weights
from training.vehicle_network import VehicleNetwork
from training.vehicle_samples import NO_COLOUR, crops_of, plain_crops_of, vehicles_of
from training.vehicles import judge, start_from, train


def label(kind: str, colour: str | None, bbox: tuple[float, ...], visible: float = 1.0) -> dict[str, object]:
    spec = None
    if kind != "person":
        spec = repr(VehicleSpec(kind=kind, colour=(9, 9, 9), length=4.5, width=1.8, height=1.5))  # type: ignore[arg-type]
    return {"kind": kind, "colour": colour, "bbox": list(bbox), "visible": visible, "identity": spec}


def picture(*labels: dict[str, object], paint: tuple[int, int, int] = (150, 26, 28)) -> Labelled:
    pixels = np.full((240, 320, 3), 60, dtype=np.uint8)
    for each in labels:
        x1, y1, x2, y2 = np.array(each["bbox"]).astype(int).tolist()
        pixels[y1:y2, x1:x2] = paint
    return Labelled("a.jpg", pixels, list(labels))


class Finds:
    """A detector that finds what labels say, and people, half a pixel off, and takes each for a van."""

    name = "finds"

    def __init__(self, *pictures: Labelled) -> None:
        self.labels = {picture.pixels.tobytes(): picture.boxes for picture in pictures}

    def detect(self, picture: Pixels, *, camera: str = "", time: float = 0.0) -> Detections:
        """Look labels up."""
        boxes = np.array([each["bbox"] for each in self.labels[picture.tobytes()]], dtype=np.float64).reshape(-1, 4)
        kinds = ["person" if each["kind"] == "person" else "car" for each in self.labels[picture.tobytes()]]
        shares = np.eye(len(KINDS))[[KINDS.index("van")] * len(kinds)]
        found = Detections.of("", 0.0, boxes + 0.5, kinds)
        return replace(found, kind_shares=Shares(names=KINDS, values=shares))


def found_in(*pictures: Labelled) -> vehicle_samples.Vehicles:
    return vehicles_of(pictures, Finds(*pictures))


def easy(count: int) -> vehicle_samples.Vehicles:
    """Return vans that are wide and red, and cars that are high and white."""
    red = picture(label("van", "red", (20, 40, 220, 120)))
    white = picture(label("car", "white", (50, 20, 110, 200)), paint=(222, 223, 222))
    return found_in(*[red, white] * count)


def test_what_can_not_be_seen_and_people_are_left_out() -> None:
    one = picture(
        label("van", "red", (20, 40, 120, 90)),
        label("suv", None, (150, 40, 250, 90)),
        label("car", "blue", (20, 100, 120, 150), visible=0.1),
        label("car", "blue", (20, 160, 24, 164)),
        label("person", None, (200, 160, 220, 220)),
    )
    found = found_in(picture(), one)
    assert found.kind.tolist() == [KINDS.index("van"), KINDS.index("suv")]
    assert found.colour.tolist() == [COLOURS.index("red"), NO_COLOUR]
    assert found.picture.tolist() == [1, 1]
    with pytest.raises(InputError, match="no vehicle"):
        found_in(picture())


def test_who_finds_the_same_vehicle_twice_counts_once() -> None:
    one = picture(label("van", "red", (20, 40, 120, 90)))
    twice = picture(label("van", "red", (20, 40, 120, 90)), label("van", "red", (22, 40, 122, 90)))
    detector = Finds(twice)
    detector.labels[one.pixels.tobytes()] = twice.boxes
    found = vehicles_of([one], detector)
    np.testing.assert_array_equal(found.boxes, [[20.5, 40.5, 120.5, 90.5]])
    detector.labels[one.pixels.tobytes()] = [*one.boxes, *one.boxes]
    assert len(vehicles_of([one], detector)) == 1, "two that lie as well on it"


def test_a_box_on_what_is_hidden_is_not_its_neighbours() -> None:
    hidden, clear = label("suv", "blue", (24, 40, 124, 90), visible=0.1), label("van", "red", (50, 40, 150, 90))
    one = picture(hidden, clear)
    detector = Finds(one)
    detector.labels[one.pixels.tobytes()] = [hidden]
    with pytest.raises(InputError, match="no vehicle is found"):
        vehicles_of([one], detector)


def test_rendered_worlds_tell_sizes_and_the_floor() -> None:
    one = picture(label("van", "red", (120, 100, 220, 150)))
    found = found_in(one)
    assert np.isnan(found.known.measured).all()
    np.testing.assert_array_equal(found.size, [[4.5, 1.8, 1.5]])
    levels = facility("garage", seed=3).levels
    camera = camera_over(320, 240).model_copy(update={"level": levels[-1].id})
    found = found_in(replace(one, world="garage-3", camera=camera))
    expected = FloorBelow(camera, levels[-1].elevation).measured(found.boxes, (320, 240))
    np.testing.assert_array_equal(found.known.measured, expected)
    for world, problem in (("", "no world"), ("garage-3", "no level")):
        with pytest.raises(InputError, match=problem):
            found_in(replace(one, world=world, camera=camera.model_copy(update={"level": "X"})))


def test_crops_show_the_vehicle_and_numbers_their_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JITTER", "COARSER", "NO_SHARES"):
        monkeypatch.setattr(vehicle_samples, name, 0.0)
    found, chosen = easy(3), np.array([3, 0, 1])
    crops, numbers = crops_of(found, chosen, np.random.default_rng(0))
    middle = crops[:, :, SHAPE.height // 2, SHAPE.width // 2].numpy() * 255
    np.testing.assert_allclose(middle, [(222, 223, 222), (150, 26, 28), (222, 223, 222)], atol=1.0)
    fine = plain_crops_of(found, chosen)[1]
    np.testing.assert_allclose(numbers, fine, atol=1e-5)
    monkeypatch.setattr(vehicle_samples, "COARSER", 1.0)
    _, coarse = crops_of(found, chosen, np.random.default_rng(0))
    assert (coarse[:, 0] > fine[:, 0]).all(), "a picture of fewer pixels is enlarged more"


def test_a_coarser_picture_shows_what_is_as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JITTER", "FLOOR_JITTER", "NO_FLOOR"):
        monkeypatch.setattr(vehicle_samples, name, 0.0)
    monkeypatch.setattr(vehicle_samples, "COARSER", 1.0)
    found, chosen = easy(3), np.arange(6)
    found = replace(found, known=found.known._replace(measured=np.tile([0.02, 4.0, 1.5, 0.3, 0.2], (6, 1))))
    floor = slice(BY_BOX, BY_BOX + FLAG + MEASURES)
    coarse, fine = crops_of(found, chosen, np.random.default_rng(0))[1], plain_crops_of(found, chosen)[1]
    np.testing.assert_allclose(coarse[:, floor], fine[:, floor], atol=1e-5)


def test_some_samples_keep_back_what_else_is_known() -> None:
    found = easy(200)
    found = replace(found, known=found.known._replace(measured=np.tile([0.02, 4.0, 1.5, 0.3, 0.2], (400, 1))))
    _, numbers = crops_of(found, np.arange(400), np.random.default_rng(0))
    floors, shares = numbers[:, BY_BOX].mean(), numbers[:, BY_BOX + FLAG + MEASURES].mean()
    assert 0.72 < floors < 0.88
    assert 0.5 < shares < 0.7
    kept = plain_crops_of(found, np.arange(4), with_floor=False, with_shares=False)[1]
    assert not kept[:, BY_BOX:].any()


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
    found = Detections.of("", 0.0, boxes, "car")
    numbers = torch.from_numpy(numbers_of(boxes, windows.scale, Known.of(found, (160, 120), KINDS, None)))
    with torch.no_grad():
        rows = network(crops, numbers)
        kinds, colours = ((rows + network(crops.flip(3), numbers)) / 2).split([len(KINDS), len(COLOURS)], dim=1)
    told = look.tell(pixels, found)
    np.testing.assert_allclose(told[0], kinds.softmax(dim=1).numpy(), atol=1e-4)
    np.testing.assert_allclose(told[1], colours.softmax(dim=1).numpy(), atol=1e-4)
    again = VehicleNetwork().eval()
    load_weights(again, tmp_path / "vehicles.onnx", crops, numbers)
    with torch.no_grad():
        torch.testing.assert_close(again(crops, numbers), rows, atol=1e-3, rtol=1e-3)


def test_it_starts_from_a_detectors_backbone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    detector, network = Detector().eval(), VehicleNetwork().eval()
    torch.save(detector.state_dict(), tmp_path / "detector.pt")
    start_from(network, tmp_path / "detector.pt", [picture()])
    crops = torch.rand(2, 3, SHAPE.height, SHAPE.width)
    with torch.no_grad():
        for own, known in zip(network.backbone(crops), detector.backbone(crops), strict=False):
            torch.testing.assert_close(own, known, atol=1e-4, rtol=1e-3)
    trained = {name for name, each in network.backbone.named_parameters() if each.requires_grad}
    assert trained
    assert not any(name.startswith(("stem", "blocks.0.", "blocks.2.")) for name in trained)
    assert "blocks.3._expand_conv.bias" in trained
