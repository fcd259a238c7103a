"""Embeddings of crops by any ONNX network: one picture in, one vector out."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from geometry import InputError
from perception.onnx_network import OnnxNetwork

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
"""Of ImageNet, as most networks for such embeddings are trained with."""
DEFAULT_SIZE = (256, 128)
"""Height and width for networks that take any."""


class OnnxEmbedding:
    """A network, loaded. ``name`` is its file's name with a hash of its content: the version that is stored."""

    def __init__(self, path: Path) -> None:
        """Load a network; ``InputError`` where it doesn't take one picture of three channels."""
        network = OnnxNetwork(path, install="pip install 'tiepoint[signs]'")
        self.name, self._session = network.name, network.session
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[1] not in (3, "C", None):
            raise InputError("the network doesn't take one picture (1, 3, height, width)", where=str(path))
        self._input = inputs[0].name
        height, width = inputs[0].shape[2:]
        self._size = (
            height if isinstance(height, int) else DEFAULT_SIZE[0],
            width if isinstance(width, int) else DEFAULT_SIZE[1],
        )

    def embed(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the vector (D,) of unit length of a crop (H, W, 3) uint8, RGB."""
        if crop.ndim != 3 or crop.shape[2] != 3 or 0 in crop.shape:
            raise InputError(f"a crop is (H, W, 3), got {crop.shape}")
        height, width = self._size
        scaled = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA) / 255.0
        picture = ((scaled - MEAN) / DEVIATION).transpose(2, 0, 1)[None].astype(np.float32)
        answers: Any = self._session.run(None, {self._input: picture})
        vector = np.asarray(answers[0], dtype=np.float32).ravel()
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length < 1e-12:
            raise InputError("the network gave no usable vector for a crop")
        return np.asarray(vector / length, dtype=np.float32)
