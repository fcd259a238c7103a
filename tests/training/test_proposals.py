"""What a second stage learns from: crops whose true ends lie where the picture shows them, mirrored or not."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from perception.detection.close_crops import CLOSE, ENDS, UNIT_PX
from perception.detection.heads.candidates import cell_count
from tests.perception.detection.exports import cell_of, write_network
from training.detector_network import FAMILIES, KINDS
from training.labelled import Labelled
from training.proposals import draw, propose
from training.refiner import losses
from training.refiner_network import RefinerNetwork

SIZE = (128, 160)
RED, LEFT, RIGHT = [32.0, 32, 64, 64], [90.0, 20, 120, 60], [122.0, 20, 150, 60]


def label(
    box: list[float], kind: str = "car", visible: float = 1.0, whole: list[float] | None = None
) -> dict[str, object]:
    foot = [(box[0] + box[2]) / 2 - 4, box[3] - 2]
    return {"kind": kind, "bbox": box, "whole": whole or box, "contact": foot, "visible": visible}


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    """Return a detector that finds a car in RED, and one where there is nothing."""
    rows = np.full((cell_count(SIZE), 4 + 2 + len(KINDS) + 2), -9.0, dtype=np.float32)
    for box in (RED, LEFT):
        rows[cell_of(np.array(box), SIZE)] = [*np.log([1.5, 1.5, 2.5, 2.5]), 1.0, -9, *[0] * len(KINDS), 0, 0]
    about = {"tiepoint_detector": json.dumps({"kinds": list(KINDS), "longest_px": 160})}
    return write_network(tmp_path / "a.onnx", [rows[None]], SIZE, about)


def picture(labels: list[dict[str, object]]) -> Labelled:
    pixels = np.zeros((*SIZE, 3), dtype=np.uint8)
    for each in labels:
        x1, y1, x2, y2 = (int(v) for v in each["bbox"])  # type: ignore[attr-defined]
        pixels[y1:y2, x1:x2, 0] = 255
    return Labelled("a.jpg", pixels, labels)


def test_true_ends_lie_where_the_crop_shows_the_object(detector: Path) -> None:
    rng = np.random.default_rng(0)
    whole = [32.0, 32, 64, 90]
    proposed = propose(detector, [picture([label(RED, whole=whole)])], rng)
    batch = draw(proposed, 24, rng)
    assert batch.crops.shape == (24, 3, CLOSE.height, CLOSE.width)
    near = np.flatnonzero(batch.family.numpy() >= 0).tolist()
    assert 8 <= len(near) <= 16
    middle = np.tile([CLOSE.width / 2, CLOSE.height / 2], ENDS // 2)
    feet = []
    for i in near:
        ends = batch.ends[i].numpy() * UNIT_PX + middle
        x1, y1, x2, y2 = ends[:4]
        shown = batch.crops[i, 0].numpy() > 0.5
        inside = np.zeros_like(shown)
        inside[max(round(y1), 0) : round(y2), max(round(x1), 0) : round(x2)] = True
        # Measured: 1.5 % at most, at the edges.
        assert (shown & (batch.crops[i, 1].numpy() < 0.3) != inside).mean() < 0.03
        np.testing.assert_allclose(ends[[4, 5, 6]], ends[[0, 1, 2]], atol=1e-3)
        np.testing.assert_allclose((ends[7] - y1) / (y2 - y1), (90 - 32) / 32, atol=1e-3)
        feet.append(round(float((ends[8] - x1) / (x2 - x1)), 3))
    assert set(feet) == {0.375, 0.625}, "some are mirrored and some are not"


def test_what_is_hardly_seen_counts_neither_way(detector: Path) -> None:
    rng = np.random.default_rng(1)
    (bare,) = propose(detector, [picture([])], rng)
    assert (bare.true == -1).all()
    assert bare.wanted.all()
    (hidden,) = propose(detector, [picture([label(RED, visible=0.05)])], rng)
    at_red = np.abs(hidden.boxes - RED).max(axis=1) < 1
    assert at_red.any()
    assert not hidden.wanted[at_red].any()
    assert (hidden.true == -1).all()
    assert (draw([hidden], 8, rng).family == -1).all()


def test_perfect_answers_lose_least_and_a_spread_fits_its_error(detector: Path) -> None:
    rng = np.random.default_rng(2)
    batch = draw(propose(detector, [picture([label(RED), label(RIGHT, "person")])], rng), 32, rng)
    weights = torch.ones(len(KINDS))
    rows = torch.zeros(32, FAMILIES + len(KINDS) + 2 * ENDS)
    assert torch.isfinite(losses(rows, batch, weights)).all()
    good = rows.clone()
    known = torch.isfinite(batch.ends)
    good[:, FAMILIES + len(KINDS) : -ENDS] = torch.where(known, batch.ends - batch.bases, 0.0)
    good[:, :FAMILIES] = -9.0
    near = batch.family >= 0
    good[near, batch.family[near]] = 9.0
    is_kind = batch.kind >= 0
    good[is_kind, FAMILIES + batch.kind[is_kind]] = 9.0
    good[:, -ENDS:] = -4.0
    best = losses(good, batch, weights)
    assert (best[:2] < 0.01).all()
    assert best[2] == pytest.approx(-4.0, abs=0.01)
    off = good.clone()
    off[:, FAMILIES + len(KINDS) : -ENDS] += 0.5  # 8 px of the crop: Laplace's likelihood is best at that spread
    costs = []
    for spread in (0.25, 0.5, 1.0):
        off[:, -ENDS:] = np.log(spread)
        costs.append(float(losses(off, batch, weights)[2]))
    assert costs[1] == min(costs)


def test_the_network_answers_each_crop_and_learns(detector: Path) -> None:
    rng = np.random.default_rng(3)
    torch.manual_seed(0)
    network = RefinerNetwork().train()
    batch = draw(propose(detector, [picture([label(RED)])], rng), 8, rng)
    rows = network(batch.crops, batch.numbers)
    assert rows.shape == (8, FAMILIES + len(KINDS) + 2 * ENDS)
    optimizer = torch.optim.Adam((each for each in network.parameters() if each.requires_grad), lr=1e-3)
    costs = []
    for _ in range(12):
        loss = losses(network(batch.crops, batch.numbers), batch, torch.ones(len(KINDS))).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        costs.append(float(loss.detach()))
    assert costs[-1] < 0.6 * costs[0]  # measured 0.3
