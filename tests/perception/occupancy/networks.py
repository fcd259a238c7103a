"""Small networks of stalls, made here, that say something simple of a crop."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from perception.occupancy.network import OWN_KEY
from perception.occupancy.stall_crops import CHANNELS, HEIGHT_PX, WIDTH_PX

TURNS, PER_LEVEL = 0.3, 40.0
"""The network below says that a stall is taken where its mean red is above this; log-odds for each 1 of it."""


def write_network(path: Path, about: Any = None, size: tuple[int, int] = (HEIGHT_PX, WIDTH_PX)) -> Path:
    """Write one whose log-odds grow with how red a crop is; by default its slope is 1.

    size: height and width of the crops that it takes
    """
    nodes = [
        helper.make_node("ReduceMean", ["pictures"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["red"]),
        helper.make_node("Sub", ["red", "bias"], ["log_odds"]),
    ]
    weights = np.zeros((CHANNELS, 1), dtype=np.float32)
    weights[0] = PER_LEVEL
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array(PER_LEVEL * TURNS, dtype=np.float32), "bias"),
    ]
    given = [helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["n", CHANNELS, *size])]
    told = [helper.make_tensor_value_info("log_odds", TensorProto.FLOAT, ["n", 1])]
    graph = helper.make_graph(nodes, "red", given, told, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    entry = model.metadata_props.add()
    entry.key, entry.value = OWN_KEY, json.dumps({"slope": 1.0} if about is None else about)
    onnx.save(model, str(path))
    return path
