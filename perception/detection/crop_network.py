"""A network that looks at boxes of a picture, each in a crop of its own, with some numbers beside it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometry.errors import InputError
from perception.detection.onnx_detector import OnnxOptions, load_network
from perception.detection.protocol import Pixels
from perception.detection.windows import Array, Shape, Windows, cut

AT_ONCE = 32


class CropNetwork:
    """The network, loaded. ``metadata`` is what its file says of it; ``name`` has a hash of the file's content."""

    def __init__(self, path: Path, options: OnnxOptions, shape: Shape) -> None:
        """Load a file for crops of a shape; ``InputError`` for one that can't be."""
        network = load_network(path, options)
        self.name, self.path, self.shape = network.name, path, shape
        self.metadata: Mapping[str, str] = network.metadata
        self._session = network.session

    def expect(self, numbers: int, width: int) -> None:
        """Raise ``InputError`` unless it takes such crops, so many numbers beside each, and answers with ``width``."""
        asked = {each.name: each.shape[1:] for each in self._session.get_inputs()}
        if asked != {"pictures": [3, self.shape.height, self.shape.width], "numbers": [numbers]}:
            raise InputError(f"takes {asked}, not crops and {numbers} numbers", where=str(self.path))
        crops = np.zeros((2, self.shape.height, self.shape.width, 3), dtype=np.uint8)
        told = self._answer(crops, np.zeros((2, numbers), dtype=np.float32))
        if told.shape != (2, width):
            raise InputError(f"answers {told.shape} to two crops, not {width} numbers each", where=str(self.path))
        self._width = width

    def ask(self, picture: Pixels, windows: Windows, numbers: NDArray[np.float32], *, both_ways: bool = False) -> Array:
        """Return its answers (N, width) about windows of a picture (H, W, 3), with numbers (N, numbers) beside them.

        both_ways: they are means over each crop and its mirror image
        """
        parts = [np.zeros((0, self._width))]
        for start in range(0, len(numbers), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            crops = cut(picture, windows.take(some), self.shape)
            told = self._answer(crops, numbers[some])
            parts.append((told + self._answer(crops[:, :, ::-1], numbers[some])) / 2 if both_ways else told)
        return np.concatenate(parts)

    def _answer(self, crops: NDArray[np.uint8], numbers: NDArray[np.float32]) -> Array:
        """Return its answers about crops (N, H, W, 3)."""
        try:
            told = self._session.run(None, feed_of(crops, numbers))[0]
        except Exception as error:  # onnxruntime raises its own kinds
            raise InputError(f"the network can't be run ({error})", where=str(self.path)) from error
        return np.asarray(told, dtype=np.float64)


def feed_of(crops: NDArray[np.uint8], numbers: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Return what such a network is given about crops (N, H, W, 3), with numbers (N, numbers) beside them, by name."""
    pictures = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255)
    return {"pictures": pictures, "numbers": numbers}
