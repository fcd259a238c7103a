"""The network of stalls is trained by what labels say, and judged by worlds it has not seen."""

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from geometry.errors import InputError
from perception.occupancy.network import StallNetwork as Loaded
from perception.occupancy.stall_crops import HEIGHT_PX, WIDTH_PX, StallCrops, network_input
from tests.twin.events.places import camera, plan
from training import export, stalls
from training.stall_network import StallNetwork
from training.stalls import Looks, _shaken, judge, read_looks, train
from twin.events.stall_views import seen_stalls

SIZE = (1280, 720)


def easy(count: int, seed: int = 0) -> Looks:
    """Return looks of which the taken ones are red, and look at other places."""
    rng = np.random.default_rng(seed)
    taken = rng.random(count) < 0.5
    crops = rng.integers(0, 80, (count, HEIGHT_PX, WIDTH_PX, 3)).astype(np.uint8)
    crops[taken, ..., 0] += 150
    places = rng.normal(0, 0.05, (count, 4, HEIGHT_PX, WIDTH_PX))
    places[taken] += 0.8 * np.sign(rng.normal(size=(taken.sum(), 1, 1, 1)))
    return Looks(crops, places.astype(np.float16), taken, np.array(["w"] * count))


def steps(monkeypatch: pytest.MonkeyPatch, count: int) -> argparse.Namespace:
    """Return arguments for so many steps of training; time goes on by a second with each."""
    clock = itertools.count()
    monkeypatch.setattr(stalls, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    monkeypatch.setattr(stalls, "BATCH", 8)
    monkeypatch.setattr(stalls, "WARM_UP", 2)
    monkeypatch.setattr(stalls, "REPORT", 10**6)
    return argparse.Namespace(seed=0, minutes=(count + 0.5) / 60)


def loss(network: StallNetwork, looks: Looks) -> float:
    given = torch.from_numpy(network_input(looks.crops, looks.places.astype(np.float32)))
    with torch.no_grad():
        odds = network(given)[:, 0]
    return float(torch.nn.functional.binary_cross_entropy_with_logits(odds, torch.from_numpy(looks.taken).float()))


def test_some_steps_teach_what_is_easy(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network, judged = StallNetwork().eval(), easy(40, seed=1)
    before = loss(network, judged)
    train(network, easy(64), steps(monkeypatch, 40))
    after = judge(network, judged)
    assert not network.training
    assert all(np.isfinite(list(after.values())))
    assert 0.65 < before < 0.75  # measured 0.694: it says nothing yet
    assert loss(network, judged) < 0.4  # measured 0.11 and 0.15 of two seeds
    assert after["right"] == after["right_where_clear"] == 1.0
    assert after["loss"] < 0.1  # measured 0
    assert after["clear"] > 0.9


class Says(torch.nn.Module):
    """A network that says of each look what stands in its places, and of a mirrored one half as much more."""

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        is_mirrored = given[:, 3, 0] < 0
        return given[:, 4, 0] * torch.where(is_mirrored, 1.5, 0.5)


def told(odds: Sequence[float], taken: Sequence[bool]) -> dict[str, float]:
    crops, places = np.zeros((len(taken), 1, 1, 3), dtype=np.uint8), np.ones((len(taken), 4, 1, 1), dtype=np.float16)
    places[:, 1, 0, 0] = odds
    return judge(Says(), Looks(crops, places, np.array(taken), np.array(["w"] * len(taken))))  # type: ignore[arg-type]


def test_figures_by_hand() -> None:
    """Of 32 looks one is wrong, and one is right, but not clear."""
    figures = told([3.0] * 15 + [-3.0] * 15 + [3.0, 0.1], [True] * 15 + [False] * 16 + [True])
    assert figures["looks"] == 32
    assert figures["right"] == pytest.approx(31 / 32)
    assert figures["balanced"] == pytest.approx((1 + 15 / 16) / 2)
    assert figures["clear"] == pytest.approx(31 / 32)
    assert figures["right_where_clear"] == pytest.approx(30 / 31)


def test_the_slope_puts_log_odds_right() -> None:
    """Of looks whose log-odds are twice what they should be, half of them are; more than 256 are judged in parts."""
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 2, 4000)
    taken = rng.random(4000) < 1 / (1 + np.exp(-odds))
    figures = told((2 * odds).tolist(), taken.tolist())
    assert figures["slope"] == pytest.approx(0.5, abs=0.04)  # measured 0.502
    assert figures["loss"] == pytest.approx(np.logaddexp(0, np.where(taken, -1, 1) * odds).mean(), abs=1e-3)


@pytest.mark.parametrize(("odds", "taken"), [([0.1, -0.1, -0.2], [True, False, True]), ([3.0, 4.0], [True, True])])
def test_where_nothing_is_clear_and_where_all_are_taken_figures_are_numbers(
    odds: list[float], taken: list[bool]
) -> None:
    assert all(np.isfinite(list(told(odds, taken).values())))


def test_shaken_looks_are_of_the_same_stall_as_somebody_else_names_it() -> None:
    """Places stay in range and, but for their signs and for being mirrored, what they were; colours move along."""
    across = torch.linspace(-1, 0.5, WIDTH_PX).expand(HEIGHT_PX, WIDTH_PX)
    along = torch.linspace(-0.8, 1, HEIGHT_PX)[:, None].expand(HEIGHT_PX, WIDTH_PX)
    given = torch.cat([across.expand(3, HEIGHT_PX, WIDTH_PX), torch.stack([across, along, across, along])])
    batch = given.expand(64, 7, HEIGHT_PX, WIDTH_PX).clone()
    found = _shaken(batch, np.random.default_rng(0))
    assert torch.equal(batch, given.expand(64, 7, HEIGHT_PX, WIDTH_PX)), "what is given is not changed"
    kinds = set()
    for colours, places in zip(found[:, :3], found[:, 3:], strict=True):
        mirrored = bool(colours[0, 40, 10] > colours[0, 40, WIDTH_PX - 10])
        back = places.flip(2) * torch.tensor([-1.0, 1.0, -1.0, 1.0])[:, None, None] if mirrored else places
        turned = torch.equal(back, -given[3:])
        assert turned or torch.equal(back, given[3:])
        kinds.add((mirrored, turned))
    assert len(kinds) == 4


def write_labels(folder: Path, worlds: Sequence[str], **more: Any) -> Path:
    """Write a labelled picture of each world: the stalls with an even number are taken, and red in the picture."""
    folder.mkdir()
    corners = seen_stalls(plan(), camera())
    rng = np.random.default_rng(0)
    for world in worlds:
        Image.fromarray(rng.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)).save(folder / f"{world}.png")
        labels = [
            {"stall": stall, "corners": each.tolist(), "taken": None if stall == "S9" else int(stall[1]) % 2 == 0}
            for stall, each in corners.items()
        ]
        line = {"image": f"{world}.png", "world": world, "camera": camera().model_dump(mode="json"), "stalls": labels}
        (folder / f"{world}.jsonl").write_text(json.dumps(line | more) + "\n")
    return folder


def test_looks_are_cut_out_of_labelled_pictures(tmp_path: Path) -> None:
    looks = read_looks([write_labels(tmp_path / "a", ["u", "v"]), write_labels(tmp_path / "b", ["w"])])
    assert len(looks) == 27, "of one stall nothing is said"
    assert looks.taken.tolist() == [True, False, True, False, True, False, True, False, True] * 3
    assert looks.world.tolist() == ["u"] * 9 + ["v"] * 9 + ["w"] * 9
    corners = np.array(list(seen_stalls(plan(), camera()).values()))[:9]
    cutter = StallCrops.of(camera().camera(), camera().pose(), corners)
    picture = np.asarray(Image.open(tmp_path / "a" / "v.png"))
    np.testing.assert_array_equal(looks.crops[9:18], cutter.cut(picture))
    np.testing.assert_allclose(looks.places[9:18], cutter.places, atol=1e-3)
    some = looks.take(looks.world == "w")
    assert (len(some), some.crops.shape[0]) == (9, 9)


def test_labels_that_say_nothing_of_stalls_are_refused(tmp_path: Path) -> None:
    write_labels(tmp_path / "a", ["u"], stalls=[])
    (tmp_path / "none").mkdir()
    for folder in ("a", "none"):
        with pytest.raises(InputError, match="no label tells of stalls"):
            read_looks([tmp_path / folder])


def run(monkeypatch: pytest.MonkeyPatch, main: Callable[[], None], *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["training", *map(str, arguments)])
    main()


def test_training_goes_on_and_the_export_has_its_slope(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = write_labels(tmp_path / "pictures", ["u", "v"])
    torch.manual_seed(1)
    torch.save(StallNetwork().state_dict(), tmp_path / "before.pt")
    monkeypatch.setattr(stalls, "judge", lambda network, looks: {"looks": len(looks)})
    steps(monkeypatch, 0)
    monkeypatch.setattr(stalls, "BATCH", 4)
    resume = (pictures, "--resume", tmp_path / "before.pt", "--minutes", str(2.5 / 60), "--out", tmp_path / "after.pt")
    run(monkeypatch, stalls.main, *resume)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "9 looks, 0.56 of them at taken stalls; held out 9"
    assert json.loads(said[-1]) == {"looks": 9}
    before, after = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("before", "after"))
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)

    monkeypatch.setattr(export, "judge", lambda network, looks: {"slope": 0.75, "looks": len(looks)})
    held = ("--held-out", pictures)
    with pytest.raises(InputError, match="held out"):
        run(monkeypatch, export.main, "stalls", tmp_path / "after.pt", "--out", tmp_path)
    for more, slope in ((held, 0.75),):
        run(monkeypatch, export.main, "stalls", tmp_path / "after.pt", "--out", tmp_path, *more)
        assert Loaded(tmp_path / "stalls.onnx", threads=1).slope == slope


def test_training_needs_something_to_start_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = write_labels(tmp_path / "pictures", ["u", "v"])
    with pytest.raises(InputError, match="nothing to start from"):
        run(monkeypatch, stalls.main, pictures, "--out", tmp_path / "a.pt")


def test_training_starts_from_the_detectors_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = write_labels(tmp_path / "pictures", ["u", "v"])
    torch.manual_seed(2)
    known = StallNetwork().backbone.state_dict()
    torch.save({f"backbone.{name}": each for name, each in known.items()}, tmp_path / "detector.pt")
    monkeypatch.setattr(stalls, "judge", lambda network, looks: {"looks": len(looks)})
    steps(monkeypatch, 0)
    monkeypatch.setattr(stalls, "BATCH", 4)
    out = tmp_path / "a.pt"
    arguments = ("--detector", tmp_path / "detector.pt", "--minutes", str(1.5 / 60), "--out", out)
    run(monkeypatch, stalls.main, pictures, *arguments)
    state = torch.load(out, weights_only=True)
    assert torch.equal(state["backbone.stem.0.weight"], known["stem.0.weight"]), "its first layers stay"
