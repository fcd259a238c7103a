"""The network that describes crops: a vector for likeness, probabilities of kind and colour (``docs/models.md``)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.solids import size_prior
from perception.detection.protocol import Detector, Pixels, require_picture
from perception.detections import Detections
from perception.onnx_network import OnnxNetwork
from perception.shares import Shares

OWN_KEY = "tiepoint_appearance"
SHIPPED = "tiepoint"
SIZE = (96, 96)
"""Height and width of the input; crops are stretched to it, what shape they had says little more than their view."""
MARGIN = 0.04
"""Share of a box that is taken around it."""
LEAST_PX = 20.0
"""Crops less high or wide show too little to be described."""
AT_ONCE = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class Described:
    """What crops look like: vectors (N, D) of unit length, kinds and colours as probabilities."""

    vectors: NDArray[np.float32]
    kinds: Shares
    colours: Shares


def appearance_file(name: str) -> Path:
    """Return the file of the network that comes along, for its name ``SHIPPED``, or of the one that a path names."""
    return Path(str(files("perception.weights") / "appearance.onnx")) if name == SHIPPED else Path(name)


class AppearanceNetwork:
    """The network, loaded. ``name`` is its file's name with a hash of its content: vectors of others don't compare."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Load a network that ``training.export`` wrote; ``InputError`` for any other file."""
        network = OnnxNetwork(path, threads=threads)
        self.name, self._session = network.name, network.session
        self._about = _about(network.metadata, str(path))

    def describe(self, crops: Sequence[Pixels]) -> Described:
        """Describe crops (h, w, 3) uint8, RGB."""
        parts: list[list[NDArray[np.float32]]] = []
        for start in range(0, len(crops), AT_ONCE):
            values = np.stack([prepare_crop(crop) for crop in crops[start : start + AT_ONCE]])
            parts.append([np.asarray(each, dtype=np.float32) for each in self._session.run(None, {"pictures": values})])
        kinds, colours = tuple(self._about["kinds"]), tuple(self._about["colours"])
        if not parts:
            empty = [np.zeros((0, n)) for n in (1, len(kinds), len(colours))]
            vectors, kind_logits, colour_logits = empty[0].astype(np.float32), empty[1], empty[2]
        else:
            vectors, kind_logits, colour_logits = (np.concatenate(each) for each in zip(*parts, strict=True))
        return Described(
            vectors=vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12),
            kinds=Shares(names=kinds, values=_softmax(kind_logits)),
            colours=Shares(names=colours, values=_softmax(colour_logits)),
        )


class DescribingDetector:
    """A detector whose detections get vectors, and kinds and colours as probabilities, where they are large enough."""

    def __init__(self, detector: Detector, network: AppearanceNetwork) -> None:
        """Describe what ``detector`` finds."""
        self.detector, self.network = detector, network
        self.name = f"{detector.name}+{network.name}"

    def detect(self, picture: Pixels, *, camera: str = "", time: float = 0.0) -> Detections:
        """Find objects in a picture (H, W, 3) uint8, RGB, and describe them."""
        found = self.detector.detect(picture, camera=camera, time=time)
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        rows = np.flatnonzero((sides >= LEAST_PX).all(axis=1))
        described = self.network.describe([cut_out(picture, found.boxes[i]) for i in rows.tolist()])
        return with_description(found, rows, described)


def with_description(found: Detections, rows: NDArray[np.int64], described: Described) -> Detections:
    """Return detections with what is known of some ``rows`` of them.

    Kinds and colours that the detector tells stay: it is better at them, and both see the same pixels, so that two
    opinions are hardly more than one.
    """
    n, vehicle = len(found), np.array([size_prior(kind).family == "vehicle" for kind in found.kinds], dtype=np.bool_)
    vectors = np.full((n, described.vectors.shape[1]), np.nan, dtype=np.float32)
    vectors[rows] = described.vectors
    own, colours = rows[vehicle[rows]], found.colour_shares
    if colours is None:
        values = np.full((n, len(described.colours.names)), np.nan)
        values[own] = described.colours.values[vehicle[rows]]
        colours = Shares(names=described.colours.names, values=values)
    kinds, shares = found.kinds, found.kind_shares
    if shares is None:
        kinds, shares = _kinds_by(described.kinds.take(vehicle[rows]), own, found.kinds)
    return replace(
        found,
        kinds=kinds,
        embeddings=vectors if n and len(rows) else None,
        kind_shares=shares,
        colour_shares=colours,
    )


def _kinds_by(described: Shares, own: NDArray[np.int64], kinds: Sequence[str]) -> tuple[tuple[str, ...], Shares]:
    """Return the kinds of N detections, and their shares, by what is described of the vehicles ``own`` among them."""
    known = [i for i, name in enumerate(described.names) if size_prior(name).family == "vehicle"]
    names = tuple(described.names[i] for i in known)
    values = np.full((len(kinds), len(names)), np.nan)
    likely = described.values[:, known] + 1e-3
    told = list(kinds)
    for i, shares in zip(own.tolist(), likely / likely.sum(axis=1, keepdims=True), strict=True):
        if told[i] in names or told[i] == "vehicle":  # a bus, which the network does not know, stays one
            values[i], told[i] = shares, names[int(shares.argmax())]
    return tuple(told), Shares(names=names, values=values)


def cut_out(picture: Pixels, box: NDArray[np.float64]) -> Pixels:
    """Return the part of a picture in a box (4,), and a little around it; never empty for a box inside."""
    height, width = picture.shape[:2]
    spare = MARGIN * (box[2:] - box[:2])
    x1, y1 = np.clip(np.floor(box[:2] - spare), 0, [width - 1, height - 1]).astype(int)
    x2, y2 = np.clip(np.ceil(box[2:] + spare), [x1 + 1, y1 + 1], [width, height]).astype(int)
    return picture[y1:y2, x1:x2]


def prepare_crop(crop: Pixels) -> NDArray[np.float32]:
    """Return a crop (h, w, 3) uint8 as the network takes it, (3, 96, 96) in [0, 1]."""
    require_picture(crop)
    large = min(crop.shape[:2]) > 2 * SIZE[0]
    scaled = cv2.resize(crop, SIZE[::-1], interpolation=cv2.INTER_AREA if large else cv2.INTER_LINEAR)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1), dtype=np.float32) / np.float32(255)


def _softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True)) if len(logits) else powers


def _about(metadata: dict[str, str], where: str) -> dict[str, Any]:
    """Return what the network says of itself."""
    try:
        content = json.loads(metadata[OWN_KEY])
        if not all(isinstance(word, str) for key in ("kinds", "colours") for word in content[key]):
            raise ValueError("kinds and colours are words")
    except (KeyError, ValueError, TypeError) as error:
        remedy = "Networks of others are for tiepoint index."
        raise InputError("it is no network that training.export wrote", where=where, remedy=remedy) from error
    return dict(content)
