"""How the legs of a walk lie to each other: Gauss-Newton over similarities, and which links agree with it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from geometry import DegenerateError, skew, up_from_cameras, upright_from_map
from twin.mapping.by_order.legs import Leg

Array = NDArray[np.float64]

SIZE = 7
"""Of a leg: rotation, scale, place."""
STEP_SIGMA = 0.1
"""Relative; walkers take steps alike."""
ROLL_SIGMA = np.radians(2.0)
CLIMB_SIGMA = 0.15
"""Steps up or down with each on; a steep ramp climbs by so much."""
ANCHOR_SIGMA = 1e-3
ITERATIONS, TOLERANCE = 12, 1e-6
HUBER = 2.0
"""Sigmas that the next photo may be turned otherwise than it seems before it counts less."""
WIDTH, WIDEST, NARROWER = 4.0, 120.0, 1.6
"""Sigmas by which links may be off and still count, in the end and at first."""
VOTES, MOST_VOTES = 30, 90
"""Matches that make a link count once, and beyond which it counts no more."""
MAX_SCALE = 1.5
"""Steps of two legs are alike: a leg that false links could shrink to a place would agree with all of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """That places of leg ``a`` are places of leg ``b``, in steps: in_a and in_b (M, 3) coincide to ``sigma``.

    rotation: (3, 3) b_from_a, with its sigma, radians; support: how many matches say so
    """

    a: int
    b: int
    rotation: Array
    rotation_sigma: float
    in_a: Array
    in_b: Array
    sigma: float
    support: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """Where legs are: world_from_leg of each, z up; covariance (L * 7, L * 7) of the (rotation, scale, place).

    rotations: (L, 3, 3); scales: (L,); places: (L, 3), steps. Rotations err from the left.
    """

    rotations: Array
    scales: Array
    places: Array
    covariance: Array

    def placed(self, leg: int, points: Array) -> Array:
        """Return points (M, 3) of a leg in the world."""
        return np.asarray(self.scales[leg] * points @ self.rotations[leg].T + self.places[leg])

    def disagreement(self, link: Link) -> tuple[Array, Array, float]:
        """Return by how much a link is off (3,), steps, the covariance (3, 3) of what it should be; its angle."""
        at_a, at_b = (
            self.placed(leg, points).mean(axis=0) for leg, points in ((link.a, link.in_a), (link.b, link.in_b))
        )
        jacobian = np.concatenate(
            [
                _of_place(self, link.a, link.in_a.mean(axis=0)[None])[0],
                -_of_place(self, link.b, link.in_b.mean(axis=0)[None])[0],
            ],
            axis=1,
        )
        rows = _unknowns(link)
        covariance = self.covariance[np.ix_(rows, rows)]
        angle = np.linalg.norm(_turn(self, link))
        return at_a - at_b, jacobian @ covariance @ jacobian.T + link.sigma**2 * np.eye(3), float(angle)


def lay_out(
    legs: Sequence[Leg], links: Sequence[Link], start: Layout, width: float = WIDTH, iterations: int = ITERATIONS
) -> Layout:
    """Return the layout that fits best from one that is near, by Gauss-Newton.

    Of links with support those that are off by more than ``width`` of their sigmas hardly count (Geman-McClure), others
    a little less than they would (Huber). Legs that no links join keep their own frames. Scales are 1 as far as
    nothing else tells, and cameras level.
    """
    layout, count = start, len(legs)
    anchors = np.unique(components(count, links), return_index=True)[1]
    for _ in range(iterations):
        hessian, gradient = np.zeros((SIZE * count, SIZE * count)), np.zeros(SIZE * count)
        for rows, jacobian, residual in _terms(legs, links, layout, anchors, width):
            hessian[np.ix_(rows, rows)] += jacobian.T @ jacobian
            gradient[rows] += jacobian.T @ residual
        change = -np.linalg.solve(hessian, gradient).reshape(count, SIZE)
        scales = np.clip(layout.scales + change[:, 3], 1.0 / MAX_SCALE, MAX_SCALE)
        change[:, 3] = scales - layout.scales
        layout = Layout(
            rotations=Rotation.from_rotvec(change[:, :3]).as_matrix() @ layout.rotations,
            scales=scales,
            places=layout.places + change[:, 4:],
            covariance=start.covariance,
        )
        if np.abs(change).max() < TOLERANCE:
            break
    return Layout(
        rotations=layout.rotations,
        scales=layout.scales,
        places=layout.places,
        covariance=np.asarray(np.linalg.inv(hessian), dtype=np.float64),
    )


def components(count: int, links: Sequence[Link]) -> NDArray[np.int64]:
    """Return (count,), to which part each leg belongs when links join them; parts are named by their first leg."""
    part = np.arange(count)
    for link in links:
        low, high = sorted((part[link.a], part[link.b]))
        part[part == high] = low
    return part


def upright(legs: Sequence[Leg]) -> Layout:
    """Return each part of the walk by itself, legs at the origin, z up as far as its cameras tell."""
    rotations = np.zeros((len(legs), 3, 3))
    for part in {leg.part for leg in legs}:
        mine = [number for number, leg in enumerate(legs) if leg.part == part]
        cameras = np.concatenate([legs[number].rotations for number in mine])
        try:
            up, _ = up_from_cameras(cameras)
        except DegenerateError:
            up = -cameras[:, 1].mean(axis=0)
        rotations[mine] = upright_from_map(up).rotation.matrix()
    count = len(legs)
    return Layout(
        rotations=rotations, scales=np.ones(count), places=np.zeros((count, 3)), covariance=np.eye(SIZE * count)
    )


def moved(layout: Layout, link: Link, parts: NDArray[np.int64]) -> Layout:
    """Move the part of leg ``b`` so that a link between two parts is right; turned about z alone."""
    rotations, places = layout.rotations.copy(), layout.places.copy()
    mine = parts == parts[link.b]
    turn = rotations[link.a] @ link.rotation.T @ rotations[link.b].T
    angle = np.arctan2(turn[1, 0] - turn[0, 1], turn[0, 0] + turn[1, 1])
    about_z = Rotation.from_rotvec([0.0, 0.0, angle]).as_matrix()
    rotations[mine] = about_z @ rotations[mine]
    places[mine] = places[mine] @ about_z.T
    there = Layout(rotations=rotations, scales=layout.scales, places=places, covariance=layout.covariance)
    places[mine] += (there.placed(link.a, link.in_a) - there.placed(link.b, link.in_b)).mean(axis=0)
    return there


def anneal(legs: Sequence[Leg], links: Sequence[Link], start: Layout) -> Layout:
    """Return the layout that most links agree with, by graduated non-convexity (Yang et al. 2020): at first all links
    count, however far off, and ever fewer of those that the others contradict.
    """
    layout, width = start, WIDEST
    while width > WIDTH:
        layout = lay_out(legs, links, layout, width, iterations=2)
        width /= NARROWER
    return lay_out(legs, links, layout)


def _terms(
    legs: Sequence[Leg], links: Sequence[Link], layout: Layout, anchors: NDArray[np.int64], width: float
) -> Iterator[tuple[NDArray[np.int64], Array, Array]]:
    """Yield unknowns, weighted Jacobian and residual of all that is known."""
    for link in links:
        rows = _unknowns(link)
        count = len(link.in_a)
        residual = (layout.placed(link.a, link.in_a) - layout.placed(link.b, link.in_b)) / link.sigma
        jacobian = np.concatenate([_of_place(layout, link.a, link.in_a), -_of_place(layout, link.b, link.in_b)], axis=2)
        turn = _turn(layout, link) / link.rotation_sigma
        of_turn = np.zeros((3, 2 * SIZE))
        of_turn[:, :3], of_turn[:, SIZE : SIZE + 3] = -np.eye(3), np.eye(3)
        off, turned = (residual**2).sum() / count, turn @ turn
        # A walker never jumps; but how one turned may be mistaken.
        of_place, of_turning = 1.0, 1.0 / math.sqrt(max(1.0, math.sqrt(turned) / HUBER))
        if link.support:
            of_place = np.sqrt(min(link.support, MOST_VOTES) / VOTES) / (1.0 + (off + turned) / width**2)
            of_turning = of_place
        each = of_place / (link.sigma * np.sqrt(count))
        yield rows, each * jacobian.reshape(-1, 2 * SIZE), of_place / np.sqrt(count) * residual.ravel()
        if not link.support:
            climb = 1.0 / (CLIMB_SIGMA * np.sqrt(count))
            yield rows, climb * jacobian[:, 2], climb * link.sigma * residual[:, 2]
        yield rows, of_turning / link.rotation_sigma * of_turn, of_turning * turn
    for number, leg in enumerate(legs):
        rows = np.arange(SIZE * number, SIZE * (number + 1))
        right = layout.rotations[number] @ leg.rotations[:, 0].mean(axis=0)
        of_roll = np.zeros((2, SIZE))
        of_roll[0, :3] = np.cross(right, [0.0, 0.0, 1.0]) / ROLL_SIGMA
        of_roll[1, 3] = 1.0 / STEP_SIGMA
        yield rows, of_roll, np.array([right[2] / ROLL_SIGMA, (layout.scales[number] - 1.0) / STEP_SIGMA])
    for anchor in anchors.tolist():
        rows = SIZE * anchor + np.array([2, 4, 5, 6])
        yield rows, np.eye(4) / ANCHOR_SIGMA, np.zeros(4)
    for number in range(len(legs)):
        # What nothing else tells, as the tilt of a photo that no link holds, stays as it is.
        yield SIZE * number + np.arange(3), np.eye(3), np.zeros(3)


def _unknowns(link: Link) -> NDArray[np.int64]:
    """Return where what is unknown of a link's legs stands."""
    return np.concatenate([np.arange(SIZE * leg, SIZE * (leg + 1)) for leg in (link.a, link.b)])


def _of_place(layout: Layout, leg: int, points: Array) -> Array:
    """Return the Jacobian (M, 3, 7) of a leg's points in the world by what is unknown of it."""
    turned = points @ layout.rotations[leg].T
    jacobian = np.zeros((len(points), 3, SIZE))
    jacobian[:, :, :3] = [-layout.scales[leg] * skew(each) for each in turned]
    jacobian[:, :, 3] = turned
    jacobian[:, :, 4:] = np.eye(3)
    return jacobian


def _turn(layout: Layout, link: Link) -> Array:
    """Return the rotation vector by which leg ``b`` is turned against what a link says."""
    off = layout.rotations[link.b] @ link.rotation @ layout.rotations[link.a].T
    return np.asarray(Rotation.from_matrix(off).as_rotvec())
