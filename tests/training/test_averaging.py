"""What networks share while they are trained."""

import numpy as np
import pytest
import torch
from torch import nn

from training.averaging import follow, kind_weights


def test_averaged_weights_move_towards_the_trained_ones() -> None:
    average, network = (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)) for _ in range(2))
    with torch.no_grad():
        for each, value in ((average, 0.0), (network, 1.0)):
            for weight in each.parameters():
                weight.fill_(value)
    network(torch.ones(4, 2))
    follow(average, network, 0.9)
    follow(average, network, 0.9)
    np.testing.assert_allclose(average[0].weight.detach(), 0.19, atol=1e-6)
    assert average[1].num_batches_tracked == 1


def test_rare_kinds_count_more_and_all_together_one() -> None:
    counts = np.array([400, 100, 0])
    weights = kind_weights(counts).numpy()
    assert weights[1] == pytest.approx(2 * weights[0])
    assert weights[2] == pytest.approx(20 * weights[0])
    assert np.average(weights, weights=np.maximum(counts, 1)) == pytest.approx(1.0)
