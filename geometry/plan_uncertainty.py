"""How sure a plan's placement is: its covariance where errors of neighbours go together, and its scale left free."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geometry.plan_search import Channel, Placement, nearest, rotation

Array = NDArray[np.float64]

CLUSTER_M = 4.0
TUKEY_M = 0.15


def placement_covariance(channels: Sequence[Channel], placement: Placement) -> tuple[Array, Array, float, float]:
    """Return the covariance (3, 3) over (turn, x, y) about a centre, that centre (2,) in site, the scale and its sigma.

    A sandwich over clusters of ``CLUSTER_M``, in which errors go together (Liang and Zeger 1986). The scale, of the map
    over the plan, comes from one more Gauss-Newton step in which it is free.
    """
    points = np.vstack([channel.points for channel in channels])
    centre = np.asarray((points.min(axis=0) + points.max(axis=0)) / 2)
    rows, residuals, weights = [], [], []
    for channel in channels:
        distance, outward = nearest(channel, placement)
        in_site = outward @ rotation(placement.yaw).T
        offset = channel.points - centre
        turned = np.column_stack([-offset[:, 1], offset[:, 0]])
        rows.append(np.column_stack([np.sum(turned * in_site, axis=1), in_site, np.sum(offset * in_site, axis=1)]))
        residuals.append(np.where(np.isfinite(distance), distance, 0.0))
        weights.append(channel.weights * np.where(distance < TUKEY_M, (1 - (distance / TUKEY_M) ** 2) ** 2, 0.0))
    jacobian, residual, weight = np.vstack(rows), np.concatenate(residuals), np.concatenate(weights)
    cell = np.unique(np.floor(points / CLUSTER_M), axis=0, return_inverse=True)[1].ravel()
    free = np.linalg.inv((jacobian * weight[:, None]).T @ jacobian + 1e-9 * np.eye(4))
    step = -free @ jacobian.T @ (weight * residual)
    scores = np.column_stack([np.bincount(cell, weight * residual * jacobian[:, k]) for k in range(4)])
    inverse = np.linalg.inv((jacobian[:, :3] * weight[:, None]).T @ jacobian[:, :3] + 1e-9 * np.eye(3))
    with_scale = free @ scores.T @ scores @ free
    covariance = inverse @ scores[:, :3].T @ scores[:, :3] @ inverse
    return np.asarray(covariance, dtype=np.float64), centre, float(1.0 - step[3]), float(np.sqrt(with_scale[3, 3]))
