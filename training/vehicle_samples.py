"""Vehicles that the detector finds in labelled pictures, and what they are: what the look at vehicles learns from."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geometry.errors import InputError
from geometry.solids import size_prior
from perception.detection.floor_below import FloorBelow
from perception.detection.protocol import Detector
from perception.detection.suppression import overlaps
from perception.detection.vehicle_look import SHAPE
from perception.detection.vehicle_numbers import Known, numbers_of
from perception.detection.windows import cut, windows_of
from perception.detections import Detections
from scenes.library import facility as library_facility
from training.colours import COLOURS
from training.detector_network import KINDS
from training.labelled import LEAST_PX, LEAST_VISIBLE, Labelled
from training.vehicle_network import SIZES

Array = NDArray[np.float64]

LEAST_IOU = 0.5
JITTER = 0.015
"""Of a box's sides, as a share of its size, beside what the detector's are off by."""
FLOOR_JITTER = 0.015
"""Of what is measured, relative."""
COARSER, COARSEST = 0.3, 0.35
"""Share of crops that are made coarser, and by how much at most: most vehicles stand far away."""
NO_FLOOR, NO_SHARES = 0.2, 0.4
"""Share of samples of which it is not told how large they are, and what the detector takes them for."""
NO_COLOUR = -1
SIZE = re.compile(r"length=([\d.]+), width=([\d.]+), height=([\d.]+)")
"""In the identity of a vehicle, which is what its ``VehicleSpec`` looks like."""


@dataclass(frozen=True, eq=False)
class Vehicles:
    """N vehicles that were found.

    pictures: all of them; picture: (N,) which one each is in; boxes: (N, 4) px; known: what detector and camera tell
    kind, colour: (N,), the latter ``NO_COLOUR`` where that is not known; size: (N, SIZES) metres, length first, NaN
    where that is not known
    """

    pictures: Sequence[Labelled]
    picture: NDArray[np.int64]
    boxes: Array
    known: Known
    kind: NDArray[np.int64]
    colour: NDArray[np.int64]
    size: Array

    def __len__(self) -> int:
        return len(self.kind)


def vehicles_of(pictures: Sequence[Labelled], detector: Detector) -> Vehicles:
    """Return the vehicles that a detector finds, of those that can be seen. Raises ``InputError`` for none."""
    parts, elevations = [], dict[str, dict[str, float]]()
    for number, picture in enumerate(pictures):
        if not any(_can_be_seen(box) for box in picture.boxes):
            continue
        found = detector.detect(picture.pixels)
        found = found.take(np.array([size_prior(kind).family == "vehicle" for kind in found.kinds], dtype=np.bool_))
        rows, labels = _matched(found, picture.boxes)
        if not labels:
            continue
        found = found.take(rows)
        size = picture.pixels.shape[1], picture.pixels.shape[0]
        known = Known.of(found, size, KINDS, _floor(picture, elevations))
        parts.append((np.full(len(found), number), found.boxes, *known, *_truth(labels)))
    if not parts:
        raise InputError("no vehicle is found in these pictures")
    picture_of, boxes, *rest = (np.concatenate(each) for each in zip(*parts, strict=True))
    told = len(Known._fields)
    return Vehicles(pictures, picture_of, boxes, Known(*rest[:told]), *rest[told:])


def _can_be_seen(box: dict[str, Any]) -> bool:
    wide, high = box["bbox"][2] - box["bbox"][0], box["bbox"][3] - box["bbox"][1]
    is_large = wide >= LEAST_PX[0] and high >= LEAST_PX[1]
    return bool(box["kind"] in KINDS and box["visible"] >= LEAST_VISIBLE and is_large)


def _matched(found: Detections, labels: list[dict[str, Any]]) -> tuple[NDArray[np.int64], list[dict[str, Any]]]:
    """Return rows of boxes that lie on a label better than all others do, one a label, and these labels, of those that
    can be seen."""
    shared = overlaps(found.boxes, np.array([label["bbox"] for label in labels], dtype=np.float64))
    if len(found) == 0:
        return np.zeros(0, dtype=np.int64), []
    best = shared.argmax(axis=1)
    first = shared.argmax(axis=0)[best] == np.arange(len(found))
    is_seen = np.array([_can_be_seen(label) for label in labels])[best]
    rows = np.flatnonzero((shared.max(axis=1) >= LEAST_IOU) & first & is_seen)
    return rows, [labels[i] for i in best[rows].tolist()]


def _floor(picture: Labelled, elevations: dict[str, dict[str, float]]) -> FloorBelow | None:
    """Return the floor that a picture of a rendered world looks at; ``elevations`` of worlds' levels are kept."""
    if picture.camera is None:
        return None
    name, _, seed = picture.world.partition("-")
    if picture.world not in elevations:
        if not seed.isdigit():
            raise InputError(f"'{picture.world}' is no world of training.pictures", where=picture.image)
        levels = library_facility(name, seed=int(seed)).levels
        elevations[picture.world] = {level.id: level.elevation for level in levels}
    known = elevations[picture.world]
    if picture.camera.level not in known:
        raise InputError(f"'{picture.world}' has no level '{picture.camera.level}'", where=picture.image)
    return FloorBelow(picture.camera, known[picture.camera.level])


def _truth(labels: list[dict[str, Any]]) -> tuple[NDArray[Any], NDArray[Any], Array]:
    """Return kinds, colours and sizes of labels."""
    sizes = [SIZE.search(label.get("identity") or "") for label in labels]
    return (
        np.array([KINDS.index(label["kind"]) for label in labels]),
        np.array([COLOURS.index(label["colour"]) if label["colour"] else NO_COLOUR for label in labels]),
        np.array([[float(each) for each in size.groups()] if size else [np.nan] * SIZES for size in sizes]),
    )


def crops_of(vehicles: Vehicles, chosen: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Cut vehicles out, their boxes moved a little, some mirrored, some made coarser: crops (N, 3, H, W), numbers.

    Of some it is not told how large they are, of others not what the detector takes them for.
    """
    boxes = vehicles.boxes[chosen]
    boxes = boxes + JITTER * rng.standard_normal(boxes.shape) * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 2.0)
    known = _known(vehicles, chosen)
    measured, shares = known.measured, known.shares
    measured[:, :3] *= np.exp(FLOOR_JITTER * rng.standard_normal((len(chosen), 3)))
    measured[rng.random(len(chosen)) < NO_FLOOR] = np.nan
    shares[rng.random(len(chosen)) < NO_SHARES] = np.nan
    crops, scale = _cut(vehicles, chosen, boxes)
    for i in np.flatnonzero(rng.random(len(crops)) < COARSER).tolist():
        factor = float(rng.uniform(COARSEST, 1.0))
        small = cv2.resize(crops[i], None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        crops[i] = cv2.resize(small, (SHAPE.width, SHAPE.height), interpolation=cv2.INTER_LINEAR)
        scale[i] /= factor
        measured[i, 0] /= factor
    mirrored = rng.random(len(crops)) < 0.5
    crops[mirrored] = crops[mirrored, :, ::-1]
    return tensor_of(crops), torch.from_numpy(numbers_of(boxes, scale, known))


def plain_crops_of(
    vehicles: Vehicles, chosen: NDArray[np.int64], *, with_floor: bool = True, with_shares: bool = True
) -> tuple[Tensor, Tensor]:
    """Cut vehicles out as they were found; their sizes, or what the detector takes them for, may be kept back."""
    boxes, known = vehicles.boxes[chosen], _known(vehicles, chosen)
    known.measured[:] = known.measured if with_floor else np.nan
    known.shares[:] = known.shares if with_shares else np.nan
    crops, scale = _cut(vehicles, chosen, boxes)
    return tensor_of(crops), torch.from_numpy(numbers_of(boxes, scale, known))


def _known(vehicles: Vehicles, chosen: NDArray[np.int64]) -> Known:
    """Return copies of what is known of some vehicles."""
    return Known(*(part[chosen] for part in vehicles.known))


def _cut(vehicles: Vehicles, chosen: NDArray[np.int64], boxes: Array) -> tuple[NDArray[np.uint8], Array]:
    """Return crops (N, H, W, 3) of boxes (N, 4) around chosen vehicles, and their scales (N,)."""
    windows = windows_of(boxes, SHAPE)
    crops = np.empty((len(chosen), SHAPE.height, SHAPE.width, 3), dtype=np.uint8)
    for number in np.unique(vehicles.picture[chosen]).tolist():
        own = vehicles.picture[chosen] == number
        crops[own] = cut(vehicles.pictures[number].pixels, windows.take(own), SHAPE)
    return crops, windows.scale


def tensor_of(crops: NDArray[np.uint8]) -> Tensor:
    """Return pictures (N, H, W, 3) as a network takes them: (N, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 255
