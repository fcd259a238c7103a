"""Speed control: the Intelligent Driver Model, and braking to a stop at a point."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, kw_only=True)
class DriverModel:
    """Parameters of the Intelligent Driver Model (Treiber, Hennecke, Helbing, Phys. Rev. E 62, 2000).

    acceleration, braking: comfortable ones, m/s2; headway: seconds to the vehicle ahead; gap: metres kept at rest
    hardest: m/s2 that no braking exceeds
    """

    acceleration: float = 1.3
    braking: float = 1.8
    headway: float = 1.0
    gap: float = 1.2
    hardest: float = 7.0


def idm_acceleration(driver: DriverModel, speed: float, desired: float, gap: float, leader_speed: float) -> float:
    """Return the acceleration, m/s2, at ``speed`` with a free ``gap`` in metres to a leader; infinite for none.

    Equation (3) with exponent 4, bounded below by the hardest braking.
    """
    if gap <= 0.05:
        return -driver.hardest
    closing = speed * (speed - leader_speed) / (2 * np.sqrt(driver.acceleration * driver.braking))
    wanted = driver.gap + max(0.0, speed * driver.headway + closing)
    free = 1 - (speed / max(desired, 0.05)) ** 4
    return float(np.clip(driver.acceleration * (free - (wanted / gap) ** 2), -driver.hardest, driver.acceleration))


def stopping_speed(driver: DriverModel, distance: float) -> float:
    """Return the highest speed from which comfortable braking stops within ``distance`` metres."""
    return float(np.sqrt(2 * 0.7 * driver.braking * max(0.0, distance)))


def foreseen_limits(limits: ArrayLike, step: float, braking: float) -> NDArray[np.float64]:
    """Return speed limits (N,) at points ``step`` metres apart, lowered so that braking in time is possible."""
    squares = np.asarray(limits, dtype=np.float64) ** 2
    slack = 2 * braking * step * np.arange(len(squares))
    return np.sqrt(np.minimum.accumulate((squares + slack)[::-1])[::-1] - slack)
