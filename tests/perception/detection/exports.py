"""ONNX files that answer with what they were given, laid out as real exports are."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from perception.detection.heads.candidates import STRIDES, cell_corners, cell_count

Array = NDArray[np.float64]
SIZE = (128, 160)


def write_network(
    path: Path,
    outputs: Sequence[NDArray[np.generic]],
    size: tuple[int | str, int | str] = SIZE,
    metadata: Mapping[str, str] | None = None,
    asks_size: bool = False,
) -> Path:
    """Write a network that always answers with ``outputs``."""
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, *size])]
    if asks_size:
        inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [1, 2]))
    nodes, told = [], []
    for number, values in enumerate(outputs):
        tensor = numpy_helper.from_array(values, name=f"value{number}")
        nodes.append(helper.make_node("Constant", [], [f"out{number}"], value=tensor))
        told.append(
            helper.make_tensor_value_info(f"out{number}", helper.np_dtype_to_tensor_dtype(values.dtype), values.shape)
        )
    model = helper.make_model(
        helper.make_graph(nodes, "told", inputs, told), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 9
    for key, value in (metadata or {}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, str(path))
    return path


def cell_of(box: Array, size: tuple[int, int] = SIZE, strides: Sequence[int] = STRIDES, half: bool = True) -> int:
    """Return a cell that a box's middle lies in, of the finest grid."""
    corners, steps = cell_corners(size, strides)
    middle = (box[:2] + box[2:]) / 2
    inside = np.flatnonzero((np.abs((corners + 0.5) * steps[:, None] - middle) <= steps[:, None] / 2).all(axis=1))
    return int(inside[0])


def yolox_rows(boxes: Array, numbers: Sequence[int], scores: Sequence[float], classes: int = 80) -> Array:
    """Return the raw output of YOLOX for boxes (N, 4) of the input."""
    rows = np.zeros((cell_count(SIZE), 5 + classes))
    rows[:, 2:4] = -1.0
    corners, steps = cell_corners(SIZE)
    for box, number, score in zip(boxes, numbers, scores, strict=True):
        cell = cell_of(box)
        middle, extent = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        rows[cell, :2] = middle / steps[cell] - corners[cell]
        rows[cell, 2:4] = np.log(extent / steps[cell])
        rows[cell, 4], rows[cell, 5 + number] = 1.0, score
    return rows
