"""The seam for local features: what an extractor is, and how to get one by name.

A new extractor is one file with a class that follows ``Extractor`` and one line in ``EXTRACTORS``.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError, nearest_known
from perception.containers import Features
from perception.features.colmap_sift import ColmapSift
from perception.features.opencv_sift import OpenCvSift
from perception.features.xfeat import XFeat


class Extractor(Protocol):
    """Finds and describes local features.

    kind: name written into the features; features of different kinds are never compared
    dimension: length of a descriptor
    """

    kind: str
    dimension: int

    def extract(self, gray: NDArray[np.uint8]) -> Features:
        """Return the features of a gray image (H, W) uint8, strongest first; a flat or tiny image has none."""
        ...


EXTRACTORS: dict[str, Callable[..., Extractor]] = {
    OpenCvSift.kind: OpenCvSift,
    ColmapSift.kind: ColmapSift,
    XFeat.kind: XFeat,
}


def make_extractor(name: str, **options: Any) -> Extractor:
    """Build the extractor called ``name`` (see ``EXTRACTORS``) with its own keyword options.

    Raises ``InputError`` for an unknown name and ``MissingExtraError`` where a learned extractor isn't installed.
    """
    if name not in EXTRACTORS:
        raise InputError(f"unknown extractor '{name}'", remedy=nearest_known(name, EXTRACTORS))
    return EXTRACTORS[name](**options)
