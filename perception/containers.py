"""Struct-of-arrays containers that extractors and matchers speak in, checked at construction."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError

FloatArray = NDArray[np.float32]


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise InputError(what)


def require_gray(gray: NDArray[np.uint8]) -> None:
    """Raise ``InputError`` unless ``gray`` is an (H, W) uint8 image."""
    _require(gray.ndim == 2 and gray.dtype == np.uint8, f"expected (H, W) uint8, got {gray.shape} {gray.dtype}")


@dataclass(frozen=True, kw_only=True)
class Features:
    """Local features of one image, strongest first.

    keypoints: (N, 2) float32, pixels, the first pixel's centre at (0.5, 0.5)
    scales: (N,) float32, pixels (sigma of the blob the feature describes)
    orientations: (N,) float32, radians from +x towards +y (clockwise on the screen)
    scores: (N,) float32, higher is stronger
    descriptors: (N, D) float32, rows of unit length
    image_size: (width, height) in pixels
    kind: name of the extractor; features of different kinds are never compared
    """

    keypoints: FloatArray
    scales: FloatArray
    orientations: FloatArray
    scores: FloatArray
    descriptors: FloatArray
    image_size: tuple[int, int]
    kind: str

    def __post_init__(self) -> None:
        n = len(self.keypoints)
        _require(self.keypoints.shape == (n, 2), f"keypoints: expected (N, 2), got {self.keypoints.shape}")
        for name in ("scales", "orientations", "scores"):
            shape = getattr(self, name).shape
            _require(shape == (n,), f"{name}: expected ({n},), got {shape}")
        for name in ("keypoints", "scales", "orientations", "scores", "descriptors"):
            dtype = getattr(self, name).dtype
            _require(dtype == np.float32, f"{name}: expected float32, got {dtype}")
        _require(
            self.descriptors.ndim == 2 and len(self.descriptors) == n,
            f"descriptors: expected ({n}, D), got {self.descriptors.shape}",
        )

    def __len__(self) -> int:
        return len(self.keypoints)

    @classmethod
    def empty(cls, *, kind: str, dimension: int, image_size: tuple[int, int]) -> "Features":
        """Return what an image without features yields."""
        none = np.empty(0, dtype=np.float32)
        return cls(
            keypoints=np.empty((0, 2), dtype=np.float32),
            scales=none,
            orientations=none,
            scores=none,
            descriptors=np.empty((0, dimension), dtype=np.float32),
            image_size=image_size,
            kind=kind,
        )

    def take(self, index: NDArray[np.integer] | NDArray[np.bool_] | slice) -> "Features":
        """Return the features selected by an index array, a mask or a slice."""
        return Features(
            keypoints=self.keypoints[index],
            scales=self.scales[index],
            orientations=self.orientations[index],
            scores=self.scores[index],
            descriptors=self.descriptors[index],
            image_size=self.image_size,
            kind=self.kind,
        )


@dataclass(frozen=True, kw_only=True)
class Matches:
    """Correspondences between two sets of features, best first.

    indices: (M, 2) int32, rows (index in a, index in b); no index of a or b occurs twice
    scores: (M,) float32 in [0, 1], higher is better
    """

    indices: NDArray[np.int32]
    scores: FloatArray

    def __post_init__(self) -> None:
        m = len(self.indices)
        _require(self.indices.shape == (m, 2), f"indices: expected (M, 2), got {self.indices.shape}")
        _require(self.scores.shape == (m,), f"scores: expected ({m},), got {self.scores.shape}")

    def __len__(self) -> int:
        return len(self.indices)
