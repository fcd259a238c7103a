"""A synthetic garage as a mapper sees it: landmarks on floors, a ramp, cars, walls and ceilings; carried cameras."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LENGTH, DEPTH, RISE = 40.0, 30.0, 3.2
FOOT, HEAD, RAMP_Y = 32.0, 8.0, (12.0, 18.0)
SLOPE = (0.01, -0.005)
"""Of the upper floor, for drainage."""
PROFILE = np.array([[0.0, 0.0], [3.0, 0.25], [21.0, 2.95], [24.0, 3.2]])


@dataclass(frozen=True, kw_only=True)
class Garage:
    """Cameras (M, 3), landmarks (L, 3) with covariances (L, 3, 3); ``on_floor`` (L,) tells which lie on a floor,
    ``seen_from`` (L,) how high the camera was that saw it."""

    cameras: Array
    landmarks: Array
    covariances: Array
    on_floor: NDArray[np.bool_]
    seen_from: Array


def floor(xy: Array, level: int) -> Array:
    """Return the true height (N,) of a level's plane."""
    return np.asarray(level * (RISE + (xy - (LENGTH / 2, DEPTH / 2)) @ SLOPE))


def ramp(xy: Array) -> Array:
    """Return the true height (N,) of the ramp, which is level with both floors where it meets them."""
    s = FOOT - xy[:, 0]
    share = np.clip(s / (FOOT - HEAD), 0, 1)
    ends = floor(np.column_stack([np.full(len(xy), HEAD), xy[:, 1]]), 1) - RISE
    return np.asarray(np.interp(s, *PROFILE.T) + share * ends)


def garage(
    rng: np.random.Generator,
    *,
    noise_m: float = 0.01,
    hand_m: float = 0.03,
    cars: int = 4000,
    floor_points: int = 1500,
    camera_height: float = 1.6,
) -> Garage:
    """Return the garage; ``noise_m`` is the landmarks' sigma, ``cars`` how many landmarks stand on parked cars."""
    on_levels = []
    for level in (0, 1):
        xy = rng.uniform((0, 0), (LENGTH, DEPTH), (floor_points, 2))
        open_floor = ~((xy[:, 0] < FOOT) & (xy[:, 0] > HEAD) & (np.abs(xy[:, 1] - 15.0) < 3.0))
        on_levels.append(np.column_stack([xy, floor(xy, level)])[open_floor])
    on_ramp = rng.uniform((HEAD, RAMP_Y[0]), (FOOT, RAMP_Y[1]), (floor_points // 5, 2))
    surfaces = [*on_levels, np.column_stack([on_ramp, ramp(on_ramp)])]
    seen = [surface[:, 2] + camera_height for surface in surfaces]
    things = []
    for level in (0, 1):
        xy = rng.uniform((0, 0), (LENGTH, 5), (cars // 2, 2)) + np.where(rng.random((cars // 2, 1)) < 0.5, 0, (0, 25.0))
        things.append(np.column_stack([xy, floor(xy, level) + rng.triangular(0.05, 0.8, 1.5, len(xy))]))
        wall = np.column_stack([rng.uniform(0, LENGTH, 800), np.where(rng.random(800) < 0.5, 0.0, DEPTH)])
        things.append(np.column_stack([wall, floor(wall, level) + rng.uniform(0, 2.9, 800)]))
        ceiling = rng.uniform((0, 0), (LENGTH, DEPTH), (500, 2))
        things.append(np.column_stack([ceiling, floor(ceiling, level) + 2.9]))
        seen += [floor(xy, level) + camera_height for xy in (xy, wall, ceiling)]
    true = np.vstack([*surfaces, *things])
    sigma = noise_m * rng.uniform(0.5, 2.0, (len(true), 1))
    count = sum(map(len, surfaces))
    return Garage(
        cameras=_cameras(rng, hand_m, camera_height),
        landmarks=true + sigma * rng.standard_normal(true.shape),
        covariances=sigma[:, :, None] ** 2 * np.eye(3),
        on_floor=np.arange(len(true)) < count,
        seen_from=np.concatenate(seen),
    )


def _cameras(rng: np.random.Generator, hand_m: float, camera_height: float) -> Array:
    corners = np.array([[4.0, 15.0], [4.0, 7.0], [36.0, 7.0], [36.0, 23.0], [4.0, 23.0], [4.0, 15.0]])
    loop = _steps(corners, 1.5)
    slope = _steps(np.array([[36.0, 15.0], [4.0, 15.0]]), 1.5)
    parts = [np.column_stack([loop, floor(loop, level)]) for level in (0, 1)]
    middle = np.clip(slope, (HEAD, 0), (FOOT, DEPTH))
    beyond = slope[:, 0] < HEAD
    parts.append(np.column_stack([slope, np.where(beyond, floor(slope, 1), ramp(middle))]))
    path = np.vstack(parts)
    return path + (0, 0, camera_height) + hand_m * rng.standard_normal((len(path), 1)) * (0, 0, 1)


def _steps(corners: Array, step: float) -> Array:
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
    at = np.arange(0, along[-1], step)
    return np.column_stack([np.interp(at, along, corners[:, k]) for k in (0, 1)])
