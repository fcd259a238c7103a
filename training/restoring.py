"""Weights back out of an ONNX file that ``training.export`` wrote, to go on training what was shipped.

An export folds each batch norm into the convolution before it. Here the norm gets the statistics of some pictures
back, with a scale and a shift that undo them: the network answers as the file does, and can be trained further.
"""

from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import Tensor, nn

from geometry import InputError

LAYERS = {"Conv": nn.Conv2d, "Gemm": nn.Linear, "MatMul": nn.Linear}
"""Operators of a file, and the layers that become them."""


def load_weights(network: nn.Module, path: Path, *inputs: Tensor) -> None:
    """Load a checkpoint (``.pt``), or an export (``.onnx``), into a network.

    inputs: as the network takes them, pictures (N, C, H, W) float32 first, for the statistics of batch norms that an
    export lost
    Raises ``InputError`` for weights of another network, and a file that can't be read.
    """
    trains = network.training
    try:
        if path.suffix == ".onnx":
            _restore(network.eval(), _weights_of(path), inputs)
            network.train(trains)
        else:
            network.load_state_dict(torch.load(path, weights_only=True))
    except (RuntimeError, ValueError) as error:
        raise InputError(f"these weights are of another network: {error}", where=str(path)) from error
    except (OSError, KeyError, UnpicklingError, DecodeError) as error:
        raise InputError(f"the weights can't be read: {error}", where=str(path)) from error


def _weights_of(path: Path) -> list[list[Tensor]]:
    """Return weight, and bias where there is one, of all layers of a file in the order in which they act."""
    graph = onnx.load(str(path)).graph
    values = {each.name: torch.from_numpy(np.array(numpy_helper.to_array(each))) for each in graph.initializer}
    found = []
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in values:  # what layers share is written once
            values[node.output[0]] = values[node.input[0]]
        if node.op_type in LAYERS and (own := [values[name] for name in node.input if name in values]):
            found.append([own[0].T, *own[1:]] if node.op_type == "MatMul" else own)
    return found


def _restore(network: nn.Module, weights: list[list[Tensor]], inputs: tuple[Tensor, ...]) -> None:
    """Give layers their weights in the order in which they act, each before it acts, and norms their statistics."""
    left, folded = iter(weights), list[Tensor]()

    def before(layer: nn.Module, _: object) -> None:
        own, bias = next(left, []), getattr(layer, "bias", None)
        if not own or own[0].shape != layer.weight.shape or (bias is not None and len(own) < 2):
            raise ValueError(f"{list(own[0].shape) if own else 'nothing'} for a layer of {list(layer.weight.shape)}")
        layer.weight.copy_(own[0])
        if bias is not None:
            bias.copy_(own[1])
        else:
            folded.extend(own[1:])

    def at_norm(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        mean, variance = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3))
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        if not folded:
            raise ValueError("a norm of it was not folded into the layer before")
        norm.bias.copy_(folded.pop() + mean)

    layers, norms = tuple(LAYERS.values()), nn.BatchNorm2d
    hooks = [each.register_forward_pre_hook(before) for each in network.modules() if isinstance(each, layers)]
    hooks += [each.register_forward_pre_hook(at_norm) for each in network.modules() if isinstance(each, norms)]
    try:
        with torch.no_grad():
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    if folded or next(left, None) is not None:
        raise ValueError("it has more layers")
