"""Labelled pictures in memory, and crops of them to train on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geometry.records import FixedCamera
from training.assignment import Truth
from training.detector_network import KINDS

LEAST_VISIBLE = 0.2
LEAST_PX = (5.0, 8.0)
"""Width and height below which an object counts neither way, in the pixels that the network sees."""
FOOT_WITHIN = 1.5
"""A foot further from the box's middle than so many of its longer side can't be told from what is seen."""
LEAST_LEFT = 0.35
"""Share of an object that a crop must leave of it."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """A picture (H, W, 3) uint8, RGB, and its boxes as in a line of labels.

    world: which it was taken in; camera: which took it, None where that was not kept
    """

    image: str
    pixels: NDArray[np.uint8]
    boxes: list[dict[str, Any]]
    world: str = ""
    camera: FixedCamera | None = None


def read_labelled(folders: Sequence[Path]) -> list[Labelled]:
    """Read all labelled pictures of folders that ``training.pictures`` and ``training.walks`` wrote."""
    found = []
    for folder in folders:
        for file in sorted(folder.glob("*.jsonl")):
            for line in file.read_text("utf-8").splitlines():
                content = json.loads(line)
                pixels = cv2.cvtColor(cv2.imread(str(folder / content["image"])), cv2.COLOR_BGR2RGB)
                boxes = [box for box in content["boxes"] if box["bbox"]]
                camera = FixedCamera.model_validate_json(json.dumps(content["camera"])) if "camera" in content else None
                found.append(
                    Labelled(
                        content["image"], np.asarray(pixels, dtype=np.uint8), boxes, content.get("world", ""), camera
                    )
                )
    return found


def crop(
    picture: Labelled, size: tuple[int, int], scale: tuple[float, float], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Truth]:
    """Return a part (h, w, 3) of a picture at some scale, perhaps mirrored, and what is in it.

    Half of the crops are around an object, so that rare ones are seen.
    """
    height, width = size
    factor = float(rng.uniform(*scale))
    small = cv2.resize(picture.pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    spare = np.array([small.shape[1] - width, small.shape[0] - height])
    if picture.boxes and rng.random() < 0.6:
        box = picture.boxes[int(rng.integers(len(picture.boxes)))]["bbox"]
        middle = factor * np.array([box[0] + box[2], box[1] + box[3]]) / 2
        at = middle - rng.uniform(0.15, 0.85, 2) * [width, height]
    else:
        at = rng.uniform(np.minimum(spare, 0), np.maximum(spare, 0) + 1e-9)
    at = np.round(np.clip(at, np.minimum(spare, 0), np.maximum(spare, 0))).astype(int)
    canvas = np.full((height, width, 3), 114, dtype=np.uint8)
    x0, y0 = max(at[0], 0), max(at[1], 0)
    x1, y1 = min(at[0] + width, small.shape[1]), min(at[1] + height, small.shape[0])
    canvas[y0 - at[1] : y1 - at[1], x0 - at[0] : x1 - at[0]] = small[y0:y1, x0:x1]
    truth = _truth(picture, factor, at, (x1 - at[0], y1 - at[1]))
    if rng.random() < 0.5:
        canvas = canvas[:, ::-1]
        truth = truth._replace(
            boxes=_mirrored(truth.boxes, width),
            ignored=_mirrored(truth.ignored, width),
            feet=torch.stack([width - truth.feet[:, 0], truth.feet[:, 1]], dim=1),
        )
    return np.ascontiguousarray(canvas), truth


def _mirrored(boxes: Tensor, width: int) -> Tensor:
    return torch.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], dim=1)


def _truth(picture: Labelled, factor: float, at: NDArray[Any], limit: tuple[int, int]) -> Truth:
    kept: list[NDArray[np.float64]] = []
    ignored: list[NDArray[np.float64]] = []
    family, kind, feet = [], [], []
    for label in picture.boxes:
        whole = np.array(label["bbox"]) * factor - np.tile(at, 2)
        box = np.clip(whole, 0, np.tile(limit, 2))
        sides = box[2:] - box[:2]
        if (sides < 1).any():
            continue
        left = sides.prod() / max((whole[2:] - whole[:2]).prod(), 1e-6)
        clear = label["visible"] >= LEAST_VISIBLE and left >= LEAST_LEFT and (sides >= LEAST_PX).all()
        (kept if clear else ignored).append(box)
        if clear:
            family.append(int(label["kind"] == "person"))
            kind.append(KINDS.index(label["kind"]) if label["kind"] in KINDS else -1)
            foot = np.array(label.get("contact") or (np.nan, np.nan)) * factor - at
            is_near = np.abs(foot - (whole[:2] + whole[2:]) / 2).max() < FOOT_WITHIN * (whole[2:] - whole[:2]).max()
            feet.append(foot if is_near else (np.nan, np.nan))
    return Truth(
        torch.tensor(np.array(kept).reshape(-1, 4), dtype=torch.float32),
        torch.tensor(family, dtype=torch.long),
        torch.tensor(kind, dtype=torch.long),
        torch.tensor(np.array(ignored).reshape(-1, 4), dtype=torch.float32),
        torch.tensor(np.array(feet).reshape(-1, 2), dtype=torch.float32),
    )
