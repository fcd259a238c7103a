"""What the networks are trained by: which cells learn what, what they lose, and that exports say what was trained."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from perception.detection.onnx_detector import OWN_KEY, OnnxDetector, OnnxOptions
from training.assignment import Truth, losses, overlap
from training.detector_network import FOOT, KINDS, Detector, boxes_of, cells, feet_of
from training.export import export
from training.labelled import Labelled, crop

SIZE = (128, 160)
WEIGHTS = torch.ones(len(KINDS))


def truth(boxes: list[list[float]], kinds: list[int], ignored: list[list[float]] | None = None) -> Truth:
    family = torch.tensor([int(kind < 0) for kind in kinds])
    found = torch.tensor(boxes).reshape(-1, 4)
    feet = torch.stack([(found[:, 0] + found[:, 2]) / 2, found[:, 3] - 4], dim=1)
    return Truth(found, family, torch.tensor(kinds), torch.tensor(ignored or []).reshape(-1, 4), feet)


def perfect(true: Truth) -> torch.Tensor:
    """Return rows that say in every cell inside an object just that object."""
    middles, strides = cells(*SIZE)
    rows = torch.zeros(1, len(middles), 4 + 2 + len(KINDS) + FOOT)
    rows[..., 4:6] = -12.0
    for box, family, kind, foot in zip(true.boxes, true.family, true.kind, true.feet, strict=True):
        reach = torch.cat([middles - box[:2], box[2:] - middles], dim=1)
        inside = reach.amin(1) > 0
        rows[0, inside, :4] = (reach[inside] / strides[inside, None]).clamp(min=1e-3).log()
        rows[0, inside, 4 + family] = 12.0
        rows[0, inside, -FOOT:] = (foot - middles[inside]) / strides[inside, None]
        if kind >= 0:
            rows[0, inside, 6 + kind] = 12.0
    return rows


def test_what_is_right_loses_little_and_what_is_wrong_much() -> None:
    true = truth([[20, 20, 60, 50], [90, 30, 105, 80]], [2, -1])
    good = losses(perfect(true), [true], *cells(*SIZE), WEIGHTS)
    assert good[0] < 1e-4
    assert good[2] < 1e-3
    assert good[3] < 1e-6
    middles, strides = cells(*SIZE)
    bad = losses(torch.zeros(1, len(middles), 4 + 2 + len(KINDS) + FOOT), [true], middles, strides, WEIGHTS)
    assert (bad > good).all()


def test_every_object_is_learnt_by_some_cell_however_small() -> None:
    middles, strides = cells(*SIZE)
    for box in ([3.0, 3, 6, 7], [0, 0, 160, 128], [60.5, 60.5, 63.5, 63.4]):
        rows = torch.zeros(1, len(middles), 4 + 2 + len(KINDS) + FOOT, requires_grad=True)
        parts = losses(rows, [truth([box], [0])], middles, strides, WEIGHTS)
        parts[0].backward()
        assert rows.grad is not None
        assert (rows.grad[0, :, :4].abs().sum(1) > 0).any(), f"no cell learns {box}"


def test_what_is_ignored_is_no_background() -> None:
    middles, strides = cells(*SIZE)
    rows = torch.zeros(1, len(middles), 4 + 2 + len(KINDS) + FOOT, requires_grad=True)
    losses(rows, [truth([], [], [[32.0, 32, 96, 96]])], middles, strides, WEIGHTS)[1].backward()
    assert rows.grad is not None
    inside = ((middles > 32) & (middles < 96)).all(1)
    assert (rows.grad[0, inside, 4:6] == 0).all()
    assert (rows.grad[0, ~inside, 4:6] > 0).all()


def test_overlap_by_hand() -> None:
    iou, giou = overlap(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 3, 2]]))
    assert iou.item() == pytest.approx(1 / 3)
    assert giou.item() == pytest.approx(1 / 3)
    _, apart = overlap(torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[3.0, 0, 4, 1]]))
    assert apart.item() == pytest.approx(-0.5)


def test_crops_take_their_boxes_along() -> None:
    pixels = np.zeros((240, 320, 3), dtype=np.uint8)
    pixels[100:140, 150:220] = 255
    box = {"bbox": [150, 100, 220, 140], "kind": "car", "visible": 1.0, "contact": [185, 130]}
    small = {"bbox": [10, 10, 14, 14], "kind": "person", "visible": 1.0}
    picture = Labelled("a", pixels, [box, small])
    rng = np.random.default_rng(0)
    kept = 0
    for _ in range(40):
        part, true = crop(picture, (128, 160), (0.6, 1.2), rng)
        assert part.shape == (128, 160, 3)
        for edges in true.boxes.numpy():
            kept += 1
            x1, y1, x2, y2 = np.round(edges).astype(int)
            assert part[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].min() > 200, "the box is around what it shows"
            u, v = true.feet[0].round().int().tolist()
            assert not (0 <= u < 160 and 0 <= v < 128) or part[v, u].min() > 200, "its foot is where it stands"
        assert len(true.family) == len(true.boxes) <= 1
    assert kept > 15


def test_an_export_says_what_was_trained(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Detector().eval()
    with torch.no_grad():
        for layer in (*network.out_place, *network.out_kind, *network.out_foot):
            layer.weight.normal_(std=0.3)
        for layer in network.out_place:
            layer.bias[4:6] = 0.5
    about = {OWN_KEY: json.dumps({"kinds": list(KINDS), "longest_px": 160})}
    export(network, torch.zeros(1, 3, 96, 128), tmp_path / "d.onnx", about, ["rows"], sizes_vary=True)
    picture = np.random.default_rng(0).integers(0, 255, (128, 160, 3)).astype(np.uint8)
    found = OnnxDetector(tmp_path / "d.onnx", OnnxOptions(iou=1.0, most=10_000)).detect(picture)
    with torch.no_grad():
        rows = network(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255)[0]
    boxes = boxes_of(rows, *cells(128, 160)).clamp(min=0)
    boxes = torch.minimum(boxes, torch.tensor([160.0, 128, 160, 128]))
    scores, family = rows[:, 4:6].sigmoid().max(1)
    large = ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(1) & (scores >= 0.3)
    assert len(found) == int(large.sum()) > 50
    order = scores[large].argsort(descending=True, stable=True)
    np.testing.assert_allclose(found.scores, scores[large][order].numpy(), atol=1e-4)
    assert found.kinds.count("person") == int((family[large] == 1).sum())
    assert np.abs(found.boxes.sum(0) - boxes[large].numpy().sum(0)).max() < 1.0
    feet = feet_of(rows, *cells(128, 160))[large][order]
    distinct = np.abs(np.diff(found.scores, prepend=2.0, append=-1.0)) > 1e-4  # else the order is a matter of rounding
    np.testing.assert_allclose(found.feet[distinct[1:] & distinct[:-1]], feet[distinct[1:] & distinct[:-1]], atol=2e-3)
