"""What several networks are trained with: weights averaged over steps, and what rare kinds count."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def follow(average: nn.Module, network: nn.Module, smoothing: float) -> None:
    """Move the averaged weights towards the trained ones, by 1 - ``smoothing`` of the way."""
    with torch.no_grad():
        for mean, value in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - smoothing)
            else:
                mean.copy_(value)


def kind_weights(counts: NDArray[np.integer]) -> Tensor:
    """Return what a kind counts (K,) that there are so many of (K,): rare ones more, by the root of how rare they are;
    1 on average over all that there are."""
    known = np.maximum(counts, 1).astype(np.float64)
    weights = 1 / np.sqrt(known)
    return torch.tensor(weights / np.average(weights, weights=known), dtype=torch.float32)
