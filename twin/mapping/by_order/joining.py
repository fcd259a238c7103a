"""Which links between legs to believe: those that agree with the walk and each other."""

from collections.abc import Mapping, Sequence

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.stats import chi2

from geometry import pose_from_matrix
from twin.mapping.by_order.layout import Layout, Link, anneal, components, lay_out, moved, upright
from twin.mapping.by_order.legs import MAX_GAP, Leg

Array = NDArray[np.float64]
Pair = tuple[int, int]

TURN_SIGMA, ON_THE_SPOT_SIGMA, CROSSING_SIGMA, MIN_STEADY = np.radians(0.5), np.radians(2.0), np.radians(5.0), 100
"""Of the direction from a photo to the next, where so many matches hold it; where they show no step, which a small one
aside before a plane looks like too; and where fewer do."""
MIN_NEXT = 30
"""Matches of a photo and the next one that keep it there, whatever looks alike elsewhere."""
STEP_SIGMA, TURNING_SIGMA, STRAY_SIGMA = 0.25, 0.4, 0.7
"""Steps that the next photo may be off: straight on, where the walker turns, and where two views tell no direction."""
STRAIGHT = np.radians(20.0)
AGREE = float(chi2.ppf(0.95, 3))
MAX_OFF = 1.5
"""Steps that a link may be off, however little is known: storeys that look alike are hardly two apart."""
MISFIT = float(chi2.ppf(0.999, 3))
MIN_SURE = 20
"""Matches of links that may bend a walk; others only add to what agrees with them."""
COMPLETIONS = 3
MAX_ANGLE = np.radians(15.0)
TURNED_AROUND, TURNED_SIGMAS = np.radians(75.0), 3.0
"""What no single turn of a walk is wrong by where each photo matches the next; beside what all of them add up to."""
LOOSE = 1.0
"""Steps by which links between two parts may differ before they are joined."""
MIN_AGREEING, MIN_ALONE = 2, 60
"""Links that join two parts of a walk, or matches of a single one that does."""


def successions(legs: Sequence[Leg], moves: Mapping[Pair, pycolmap.Rigid3d], matched: Mapping[Pair, int]) -> list[Link]:
    """Return the links of legs that follow each other: how the walker turned, and a step on.

    Where few matches hold the next photo, as where a new recording begins elsewhere that looks alike, the others may
    contradict it.

    moves: second_from_first of pairs of rows by their two views, see ``moves_of``; matched: how many matches
    """
    found = []
    for b, leg_b in enumerate(legs[1:], start=1):
        leg_a = legs[b - 1]
        pair = int(leg_a.rows[-1]), int(leg_b.rows[0])
        gap = pair[1] - pair[0]
        if gap > MAX_GAP:
            continue
        is_steady = gap == 1 and matched.get(pair, 0) >= MIN_STEADY
        is_held = gap == 1 and matched.get(pair, 0) >= MIN_NEXT
        rotation, turn_sigma, in_a, sigma = np.eye(3), CROSSING_SIGMA, leg_a.centres[-1], STRAY_SIGMA * gap
        if pair in moves:
            turn = moves[pair].rotation.matrix()
            rotation = leg_b.rotations[0].T @ turn @ leg_a.rotations[-1]
            is_straight = moves[pair].rotation.angle() < STRAIGHT
            if is_steady and not moves[pair].translation.any():
                turn_sigma = ON_THE_SPOT_SIGMA
            elif is_steady:
                turn_sigma = TURN_SIGMA
                length, sigma = (1.0, STEP_SIGMA) if is_straight else (0.5, TURNING_SIGMA)
                in_a = in_a - length * leg_a.rotations[-1].T @ turn.T @ moves[pair].translation
        elif leg_a.part != leg_b.part:
            continue
        found.append(
            Link(
                a=b - 1, b=b, rotation=rotation, rotation_sigma=turn_sigma, in_a=in_a[None], in_b=leg_b.centres[:1],
                sigma=sigma, support=0 if is_held else max(matched.get(pair, 0), 1),
            )
        )  # fmt: skip
    return found


def join(legs: Sequence[Leg], along: Sequence[Link], candidates: Sequence[Link]) -> tuple[Layout, list[Link]]:
    """Return the layout of all legs and the links it stands on: successions, and candidates that agree with most.

    Two parts of a walk are joined by the candidates that agree with each other most.
    """
    taken, pending = list(along), list(candidates)
    layout = upright(legs)
    for number, link in enumerate(along):
        parts = components(len(legs), along[:number])
        if parts[link.a] != parts[link.b]:
            layout = moved(layout, link, parts)
    pending = _not_turned(layout, [link for link in along if not link.support], pending)
    while True:
        parts = components(len(legs), taken)
        strong = [link for link in pending if parts[link.a] == parts[link.b] and link.support >= MIN_SURE]
        layout = anneal(legs, [*taken, *strong], layout)
        layout, across = _bridge(layout, parts, [link for link in pending if parts[link.a] != parts[link.b]])
        if not across:
            kept = [link for link in strong if misfit(layout, link) < MISFIT]
            return _completed(legs, [*taken, *kept], [link for link in pending if link not in kept], layout)
        taken += across
        pending = [link for link in pending if link not in across]


def _not_turned(layout: Layout, held: Sequence[Link], candidates: Sequence[Link]) -> list[Link]:
    """Return the candidates that do not turn a walk around against how the walker turned, photo by photo.

    What looks alike from the other side does; and to believe it costs a layout but the few least sure turns. Between
    legs that held successions join, turns are as unsure as these are together.
    """
    parts = components(len(layout.scales), held)
    variance = np.zeros(len(layout.scales))
    for link in held:
        variance[max(link.a, link.b) :] += link.rotation_sigma**2
    kept = []
    for link in candidates:
        most = TURNED_AROUND + TURNED_SIGMAS * np.sqrt(abs(variance[link.b] - variance[link.a]))
        if parts[link.a] != parts[link.b] or layout.disagreement(link)[2] < most:
            kept.append(link)
    return kept


def _completed(
    legs: Sequence[Leg], taken: list[Link], pending: Sequence[Link], layout: Layout
) -> tuple[Layout, list[Link]]:
    """Return the layout with the links that it lets expect, and all it stands on that still fits."""
    for _ in range(COMPLETIONS):
        layout = lay_out(legs, taken, layout)
        taken += [link for link in pending if link not in taken and agrees(layout, link)]
    layout = lay_out(legs, taken, layout)
    return layout, [link for link in taken if not link.support or misfit(layout, link) < MISFIT]


def misfit(layout: Layout, link: Link) -> float:
    """Return the squared residual of a link that a layout stands on, in its own sigmas."""
    off, _, angle = layout.disagreement(link)
    return float(off @ off / link.sigma**2 + (angle / link.rotation_sigma) ** 2)


def agrees(layout: Layout, link: Link, loose: float = 0.0) -> bool:
    """Tell whether a link says what a layout lets expect, ``loose`` steps and all uncertainty granted."""
    off, covariance, angle = layout.disagreement(link)
    most = max(MAX_ANGLE, 3.0 * link.rotation_sigma)
    near = np.linalg.norm(off) < MAX_OFF + loose
    return bool(angle < most and near and off @ np.linalg.solve(covariance + loose**2 * np.eye(3), off) < AGREE)


def _bridge(layout: Layout, parts: NDArray[np.int64], across: Sequence[Link]) -> tuple[Layout, list[Link]]:
    """Return the layout with two parts joined where most matches say so, and the links that do; none if none may."""
    best: tuple[int, Layout, list[Link]] = (0, layout, [])
    for link in across:
        there = moved(layout, link, parts)
        same = {parts[link.a], parts[link.b]}
        agreeing = [each for each in across if {parts[each.a], parts[each.b]} == same and agrees(there, each, LOOSE)]
        support = sum(each.support for each in agreeing)
        if link in agreeing and (len(agreeing) >= MIN_AGREEING or support >= MIN_ALONE) and support > best[0]:
            best = support, there, agreeing
    return best[1], best[2]


def poses_of(legs: Sequence[Leg], layout: Layout, links: Sequence[Link]) -> dict[int, pycolmap.Rigid3d]:
    """Return cam_from_world by row, of the photos of the largest part, in steps, z up."""
    parts = components(len(legs), links)
    sizes = {part: sum(len(leg.rows) for leg, mine in zip(legs, parts, strict=True) if mine == part) for part in parts}
    largest = max(sizes, key=lambda part: sizes[part])
    found = {}
    for number in np.flatnonzero(parts == largest).tolist():
        leg, turn = legs[number], layout.rotations[number]
        for row, rotation, centre in zip(leg.rows, leg.rotations, layout.placed(number, leg.centres), strict=True):
            in_world = rotation @ turn.T
            found[int(row)] = pose_from_matrix(in_world, -in_world @ centre)
    return found
