"""Legs laid out by links, some of them false."""

from dataclasses import replace

import numpy as np
import pycolmap
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from twin.mapping.by_order.joining import MIN_NEXT, MIN_STEADY, _not_turned, join, poses_of, successions
from twin.mapping.by_order.layout import MAX_SCALE, Layout, Link, lay_out, upright
from twin.mapping.by_order.legs import Leg

Array = NDArray[np.float64]

PHOTOS = 8
HEADINGS = (0, 90, 180, 270)
CORNERS = np.array([(0, 0, 0), (9, 0, 0), (9, 9, 0), (0, 9, 0)], dtype=np.float64)
FORWARD = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
"""cam_from_leg of a camera that looks along x, upright."""


def about_z(degrees: float) -> Array:
    return np.asarray(Rotation.from_euler("z", degrees, degrees=True).as_matrix())


def leg(number: int, part: int, turned: Array) -> Leg:
    """Return a straight leg whose frame is turned against the world, of photos that look ahead."""
    centres = np.column_stack([np.arange(PHOTOS), np.zeros((PHOTOS, 2))])
    middle = centres.mean(axis=0)
    points = np.random.default_rng(number).uniform((-2, -4, -1), (10, 4, 3), (40, 3))
    return Leg(
        rows=PHOTOS * number + np.arange(PHOTOS),
        rotations=np.repeat((FORWARD @ turned)[None], PHOTOS, axis=0),
        centres=(centres - middle) @ turned,
        points=(points - middle) @ turned,
        point_of=tuple(np.arange(40) for _ in range(PHOTOS)),
        part=part,
    )


def square(storeys: int = 1, seed: int = 0) -> tuple[list[Leg], Layout]:
    """Return the legs of walks around a square, one a storey, each in a frame of its own, and where they truly are."""
    rng = np.random.default_rng(seed)
    legs: list[Leg] = []
    rotations, places = [], []
    for storey in range(storeys):
        frame = about_z(float(rng.uniform(0, 360)))
        for corner, heading in zip(CORNERS, HEADINGS, strict=True):
            turned = about_z(heading).T @ frame
            legs.append(leg(len(legs), storey, turned))
            rotations.append(about_z(heading) @ turned)
            ahead = about_z(heading) @ np.array([(PHOTOS - 1) / 2, 0, 0])
            places.append(corner + ahead + np.array([0, 0, 2.0 * storey]))
    truth = Layout(
        rotations=np.array(rotations),
        scales=np.ones(len(legs)),
        places=np.array(places),
        covariance=np.eye(7 * len(legs)),
    )
    return legs, truth


def link(truth: Layout, a: int, b: int, support: int, rng: np.random.Generator, noise: float = 0.0) -> Link:
    """Return what tells that points between two legs are the same."""
    middle = 0.5 * (truth.places[a] + truth.places[b]) + rng.uniform(-2, 2, 3)
    points = middle + rng.uniform(-2, 2, (15, 3))
    in_a, in_b = ((points - truth.places[leg]) @ truth.rotations[leg] for leg in (a, b))
    return Link(
        a=a, b=b, rotation=truth.rotations[b].T @ truth.rotations[a], rotation_sigma=np.radians(3.0),
        in_a=in_a + noise * rng.standard_normal(in_a.shape), in_b=in_b, sigma=0.1, support=support,
    )  # fmt: skip


def follow(legs: list[Leg], truth: Layout, a: int, b: int) -> Link:
    """Return what tells that leg b follows leg a, a step and a half on."""
    step = 1.5 * legs[a].rotations[-1].T @ np.array([0.0, 0.0, 1.0])
    return Link(
        a=a, b=b, rotation=truth.rotations[b].T @ truth.rotations[a], rotation_sigma=np.radians(5.0),
        in_a=legs[a].centres[-1:] + step, in_b=legs[b].centres[:1], sigma=1.0, support=0,
    )  # fmt: skip


def worst(legs: list[Leg], layout: Layout, links: list[Link], truth: Layout) -> float:
    """Return how far a photo of the largest part is off at most, steps, after one rigid fit."""
    poses = poses_of(legs, layout, links)
    rows = sorted(poses)
    found = np.array([poses[row].inverse().translation for row in rows])
    true = np.concatenate([truth.placed(k, each.centres) for k, each in enumerate(legs)])[rows]
    turn, _ = Rotation.align_vectors(true - true.mean(axis=0), found - found.mean(axis=0))
    return float(np.linalg.norm(turn.apply(found - found.mean(axis=0)) - (true - true.mean(axis=0)), axis=1).max())


@pytest.mark.parametrize(("noise", "bound"), [(0.0, 0.03), (0.1, 0.4)])
def test_links_lay_legs_out(noise: float, bound: float) -> None:
    # Measured: 0.015 steps, as what follows guesses a step, and 0.24.
    legs, truth = square()
    rng = np.random.default_rng(1)
    along = [follow(legs, truth, k, k + 1) for k in range(3)]
    links = [link(truth, a, b, 40, rng, noise) for a, b in ((0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3))]
    layout, taken = join(legs, along, links)
    assert len(taken) == 9
    assert worst(legs, layout, taken, truth) < bound


def test_what_a_layout_claims_covers_what_it_is_off() -> None:
    legs, truth = square()
    off = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        links = [link(truth, a, b, 30, rng) for a, b in ((0, 1), (1, 2), (2, 3))]
        links = [replace(each, in_a=each.in_a + 0.1 * rng.standard_normal(3)) for each in links]
        last = link(truth, 3, 0, 30, rng)
        layout = lay_out(legs, links, upright_truth(legs, truth))
        gap, covariance, _ = layout.disagreement(replace(last, sigma=1e-3))
        off.append(gap @ np.linalg.solve(covariance, gap) / 3.0)
    # Measured 0.20, cautious: links also say how legs are turned, which the noise here leaves alone.
    assert 0.1 < np.mean(off) < 1.5


def upright_truth(legs: list[Leg], truth: Layout) -> Layout:
    return replace(truth, covariance=np.eye(7 * len(legs)))


def test_false_links_are_not_believed() -> None:
    legs, truth = square()
    rng = np.random.default_rng(2)
    along = [follow(legs, truth, k, k + 1) for k in range(3)]
    right = [link(truth, a, b, 40, rng) for a, b in ((0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3))]
    shifted = [
        replace(link(truth, a, b, 40, rng), in_b=each.in_b + shift)
        for (a, b), each, shift in zip(
            ((0, 2), (1, 3), (0, 3)), right, 4.0 * rng.standard_normal((3, 1, 3)), strict=False
        )
    ]
    layout, taken = join(legs, along, [*right, *shifted])
    assert all(each in taken for each in right)
    assert not any(each in taken for each in shifted)
    assert worst(legs, layout, taken, truth) < 0.05  # measured 0.015


def test_storeys_without_a_link_between_them_stay_apart() -> None:
    legs, truth = square(storeys=2)
    rng = np.random.default_rng(3)
    along = [follow(legs, truth, k, k + 1) for k in (0, 1, 2, 4, 5, 6)]
    links = [link(truth, a, b, 40, rng) for a, b in ((0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (6, 7))]
    layout, taken = join(legs, along, links)
    assert len(poses_of(legs, layout, taken)) == 4 * PHOTOS
    alone = link(truth, 1, 5, 40, rng)
    assert len(poses_of(legs, *join(legs, along, [*links, alone]))) == 4 * PHOTOS  # one weak link joins nothing
    both = [alone, link(truth, 2, 6, 40, rng)]
    layout, taken = join(legs, along, [*links, *both])
    assert len(poses_of(legs, layout, taken)) == 8 * PHOTOS
    assert worst(legs, layout, taken, truth) < 0.1  # measured 0.033


def test_a_part_that_can_not_be_told_from_level_keeps_its_own_axes() -> None:
    legs, _ = square()
    layout = upright(legs[:1])
    assert np.abs(layout.rotations[0] @ legs[0].rotations[0].T @ np.array([0, 1.0, 0]) - [0, 0, -1.0]).max() < 1e-6


def test_a_recording_that_begins_where_it_looks_alike_is_not_the_next_step() -> None:
    legs, truth = square(storeys=2)
    last, first = int(legs[3].rows[-1]), int(legs[4].rows[0])
    ahead = pycolmap.Rigid3d(pycolmap.Rotation3d(), np.array([0.0, 0.0, -1.0]))
    (false,) = (each for each in successions(legs, {(last, first): ahead}, {(last, first): 20}) if each.a == 3)
    assert false.support == 20
    rng = np.random.default_rng(4)
    along = [*(follow(legs, truth, k, k + 1) for k in (0, 1, 2, 4, 5, 6)), false]
    links = [link(truth, a, b, 40, rng) for a, b in ((0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (6, 7), (1, 5), (2, 6))]
    layout, taken = join(legs, along, links)
    assert false not in taken
    assert len(poses_of(legs, layout, taken)) == 8 * PHOTOS
    assert worst(legs, layout, taken, truth) < 0.1  # measured 0.036
    for matched, support in ((MIN_NEXT - 1, MIN_NEXT - 1), (MIN_NEXT, 0), (MIN_STEADY, 0)):
        (found,) = (each for each in successions(legs, {(last, first): ahead}, {(last, first): matched}) if each.a == 3)
        assert found.support == support


def test_no_leg_shrinks_until_false_links_agree() -> None:
    legs, truth = square()
    rng = np.random.default_rng(5)
    along = [follow(legs, truth, k, k + 1) for k in range(3)]
    beside = link(truth, 0, 1, 60, rng)
    # All of leg 1 is said to be one place.
    point = replace(beside, in_a=np.repeat(beside.in_a[:1], 15, axis=0), in_b=legs[1].points[:15], sigma=1e-3)
    layout = lay_out(legs, [*along, replace(point, support=0)], upright_truth(legs, truth))
    assert layout.scales.min() == 1.0 / MAX_SCALE


@pytest.mark.parametrize("support", [45, 90])
def test_what_looks_alike_from_the_other_side_turns_no_walk_around(support: int) -> None:
    # Without links between them that are right, the walker's own turns are all that speaks against it.
    legs, truth = square()
    rng = np.random.default_rng(6)
    along = [follow(legs, truth, k, k + 1) for k in range(3)]
    around = about_z(170)
    alike = link(truth, 0, 3, support, rng)
    alike = replace(alike, rotation=around @ alike.rotation, in_b=alike.in_b @ around.T)
    layout, taken = join(legs, along, [alike])
    assert alike not in taken
    assert worst(legs, layout, taken, truth) < 0.5  # measured 0.015


@pytest.mark.parametrize(("degrees", "is_kept"), [(70, True), (100, False)])
def test_links_may_be_off_by_what_turns_add_up_to(degrees: float, is_kept: bool) -> None:
    # Three turns of 5 degrees each: 75 and three times 8.7 make 101, and from leg 0 to leg 1 it is 90.
    legs, truth = square()
    along = [follow(legs, truth, k, k + 1) for k in range(3)]
    for b in (1, 3):
        alike = link(truth, 0, b, 60, np.random.default_rng(7))
        alike = replace(alike, rotation=about_z(degrees) @ alike.rotation)
        kept = _not_turned(upright_truth(legs, truth), along, [alike])
        assert kept == ([alike] if is_kept or b == 3 else [])
    assert _not_turned(upright_truth(legs, truth), along[1:], [alike]) == [alike], "no turns lead there"


def test_a_walk_does_not_climb_to_the_storey_above_in_steps_that_little_is_known_of() -> None:
    # A look-alike two steps up, believed, would lift the legs on both sides of it by a step each.
    legs, truth = square()
    rng = np.random.default_rng(8)
    along = [follow(legs, truth, k, k + 1) for k in range(3)]
    above = link(truth, 0, 2, 16, rng)
    above = replace(above, in_b=above.in_b + 2.0 * truth.rotations[2].T @ np.array([0.0, 0.0, 1.0]))
    layout = lay_out(legs, [*along, above], upright_truth(legs, truth))
    heights = np.concatenate([layout.placed(k, each.centres)[:, 2] for k, each in enumerate(legs)])
    assert np.ptp(heights) < 0.3  # measured 0.13
