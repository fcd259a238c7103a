"""Which cells learn which object, and what they lose by: task-aligned assignment (Feng et al. 2021)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.detector_network import FAMILIES, FOOT, boxes_of, feet_of

TOP, ALPHA, BETA = 8, 0.5, 4.0
FOOT_SHARE = 0.05
"""Of an object's size: feet nearer than this are learned by their square, others by their distance."""
NEAR = 2.5
"""Cells whose middle is this many strides from an object's may learn it, if they lie inside of it."""


class Truth(NamedTuple):
    """Objects of one picture.

    boxes: (G, 4) px; family: (G,) 0 vehicle, 1 person; kind: (G,), -1 for none; ignored: (I, 4) boxes that count
    neither as objects nor as their absence; feet: (G, 2) px where their middles meet the ground, NaN for unknown
    """

    boxes: Tensor
    family: Tensor
    kind: Tensor
    ignored: Tensor
    feet: Tensor


def overlap(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return IoU and generalised IoU of boxes (..., 4), element by element."""
    low, high = torch.maximum(first[..., :2], second[..., :2]), torch.minimum(first[..., 2:], second[..., 2:])
    common = (high - low).clamp(min=0).prod(-1)
    union = _area(first) + _area(second) - common
    low, high = torch.minimum(first[..., :2], second[..., :2]), torch.maximum(first[..., 2:], second[..., 2:])
    hull = (high - low).prod(-1)
    iou = common / union.clamp(min=1e-6)
    return iou, iou - (hull - union) / hull.clamp(min=1e-6)


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def losses(rows: Tensor, truths: list[Truth], middles: Tensor, strides: Tensor, kind_weights: Tensor) -> Tensor:
    """Return the losses (4,) of boxes, scores, kinds and feet of a batch of rows (N, A, D)."""
    boxes, feet = boxes_of(rows, middles, strides), feet_of(rows, middles, strides)
    scores = rows[..., 4 : 4 + FAMILIES]
    box_loss = rows.sum() * 0
    kind_loss, kind_count, weight_sum = rows.sum() * 0, 0.0, 0.0
    foot_loss, foot_sum = rows.sum() * 0, 0.0
    targets, weights = torch.zeros_like(scores), torch.ones_like(scores)
    for n, truth in enumerate(truths):
        if len(truth.ignored):
            weights[n][_inside(middles, truth.ignored).any(0)] = 0.0
        if not len(truth.boxes):
            continue
        with torch.no_grad():
            chosen, owner, quality = _assign(boxes[n], scores[n], truth, middles, strides)
        if not len(chosen):
            continue
        family = truth.family[owner]
        targets[n, chosen, family] = quality
        weights[n, chosen] = 1.0
        _, giou = overlap(boxes[n, chosen], truth.boxes[owner])
        box_loss = box_loss + ((1 - giou) * quality).sum()
        weight_sum += float(quality.sum())
        kinds = truth.kind[owner]
        known = kinds >= 0
        if known.any():
            logits = rows[n, chosen[known], 4 + FAMILIES : -FOOT]
            each = nn.functional.cross_entropy(logits, kinds[known], weight=kind_weights, reduction="none")
            kind_loss = kind_loss + (each * quality[known]).sum()
            kind_count += float(quality[known].sum())
        told = truth.feet[owner].isfinite().all(-1)
        if told.any():
            size = _area(truth.boxes[owner[told]]).sqrt()[:, None]
            apart = (feet[n, chosen[told]] - truth.feet[owner[told]]) / size
            each = nn.functional.smooth_l1_loss(apart, torch.zeros_like(apart), beta=FOOT_SHARE, reduction="none")
            foot_loss = foot_loss + (each.sum(-1) * quality[told]).sum()
            foot_sum += float(quality[told].sum())
    # Varifocal: what shows nothing counts less the surer the network is of it already.
    probability = scores.sigmoid().detach()
    focus = torch.where(targets > 0, targets, 0.75 * probability**2) * weights
    score_loss = (nn.functional.binary_cross_entropy_with_logits(scores, targets, reduction="none") * focus).sum()
    total = max(weight_sum, 1.0)
    parts = box_loss / total, score_loss / total, kind_loss / max(kind_count, 1.0), foot_loss / max(foot_sum, 1.0)
    return torch.stack(parts)


def _inside(middles: Tensor, boxes: Tensor) -> Tensor:
    """Tell which cells' middles (A, 2) lie in boxes (G, 4): (G, A)."""
    low, high = middles[None] - boxes[:, None, :2], boxes[:, None, 2:] - middles[None]
    return torch.cat([low, high], dim=-1).amin(-1) > 0


def _assign(
    boxes: Tensor, scores: Tensor, truth: Truth, middles: Tensor, strides: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the cells that learn an object, which one, and how good they should say to be."""
    centres = (truth.boxes[:, :2] + truth.boxes[:, 2:]) / 2
    near = ((middles[None] - centres[:, None]).abs().amax(-1) / strides) < NEAR
    allowed = near & _inside(middles, truth.boxes)
    # Objects smaller than a cell of the finest grid still have the cell that holds their middle.
    nearest = (middles[None] - centres[:, None]).abs().amax(-1) <= strides / 2
    allowed |= nearest & (strides == strides.min())
    iou, _ = overlap(boxes[None], truth.boxes[:, None])
    likely = scores.sigmoid()[:, truth.family].T
    # At the start no box fits; then cells are chosen by how well their stride suits the object's size.
    side = (truth.boxes[:, 2:] - truth.boxes[:, :2]).amax(-1)
    suits = torch.exp(-((side[:, None] / (6.0 * strides[None])).clamp(min=1e-3).log() ** 2))
    metric = (likely**ALPHA * iou**BETA + 1e-4 * suits) * allowed
    top = metric.topk(min(TOP, metric.shape[1]), dim=1)
    mask = torch.zeros_like(metric).scatter_(1, top.indices, (top.values > 0).float())
    metric = metric * mask
    best, owner = metric.max(0)
    chosen = (best > 0).nonzero()[:, 0]
    owner = owner[chosen]
    own_metric, own_iou = metric * mask, iou * mask
    most = own_metric.amax(1).clamp(min=1e-9)
    fit = own_iou.amax(1)
    quality = (best[chosen] / most[owner] * fit[owner]).clamp(0.05, 1.0)
    return chosen, owner, quality
