import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.box_views import ROWS, UNKNOWN_PX, CameraModel, box_planes
from geometry.lifting import Solids, fuse_views, hidden_sides, lift_boxes, residuals
from geometry.solids import PRIORS, outlines_of, size_prior, support
from tests.perception.sites import GROUND, SIZE, box_of, cameras

CAMERAS = cameras()
places = st.tuples(st.floats(-4, 4), st.floats(-4, 4)).map(np.array)
NO_FOOT = np.full((1, 2), np.nan)


def planes_of(camera, box, sigma_px=1.0, foot=NO_FOOT):
    return box_planes(CameraModel.of(camera), np.asarray(box)[None], foot, np.full((1, ROWS), sigma_px))


def solid(kind, position, heading):
    outline, is_round = outlines_of((kind,))
    size = np.array([size_prior(kind).size])
    return Solids(position=position[None], heading=np.array([heading]), size=size, outline=outline, is_round=is_round)


@given(places, st.floats(-np.pi, np.pi), st.sampled_from(sorted(PRIORS)))
@settings(max_examples=40, deadline=None)
def test_planes_touch_the_solid_whose_box_they_are_of(position, heading, kind):
    box = box_of(CAMERAS[0], kind, position, heading)
    if box is None:
        return
    found = residuals(solid(kind, position, heading), GROUND, np.zeros(1, dtype=np.int64), planes_of(CAMERAS[0], box))
    # at most 0.24 px for the polygon that stands in for a person's rings
    assert np.abs(found.px[:, :4]).max() < (0.5 if kind == "person" else 1e-6)


@given(places, st.floats(-np.pi, np.pi), st.sampled_from(["person", "car", "van"]))
@settings(max_examples=30, deadline=None)
def test_jacobian_is_the_central_difference(position, heading, kind):
    box = box_of(CAMERAS[0], kind, position, heading)
    if box is None:
        return
    planes, level = planes_of(CAMERAS[0], box), np.zeros(1, dtype=np.int64)
    base = solid(kind, position + 0.1, heading + 0.05)
    exact = residuals(base, GROUND, level, planes)
    step = 1e-6
    for axis in range(2):
        moved = [
            residuals(
                Solids(
                    position=base.position + sign * step * np.eye(2)[axis],
                    heading=base.heading,
                    size=base.size,
                    outline=base.outline,
                    is_round=base.is_round,
                ),
                GROUND,
                level,
                planes,
            )
            for sign in (1, -1)
        ]
        # the derivative leaves out the change of distance, which residuals are scaled by
        numeric = (
            moved[0].px * exact.px_per_m / moved[0].px_per_m - moved[1].px * exact.px_per_m / moved[1].px_per_m
        ) / (2 * step)
        np.testing.assert_allclose(exact.jacobian[..., axis], numeric, rtol=1e-4, atol=1e-3)


@given(places, st.floats(-np.pi, np.pi))
@settings(max_examples=40, deadline=None)
def test_a_person_is_placed_by_one_clean_box(position, heading):
    box = box_of(CAMERAS[1], "person", position, heading)
    if box is None:
        return
    lifted = lift_boxes(planes_of(CAMERAS[1], box), ["person"], GROUND, 0)
    assert lifted.placed[0]
    assert np.linalg.norm(lifted.position[0, :2] - position) < 0.05  # measured 0.02


def test_claimed_ellipses_hold_what_they_should():
    """A thousand persons of sizes drawn from the prior, boxes with 3 px of noise, one view each."""
    rng, inside, errors = np.random.default_rng(5), [], []
    for _ in range(1000):
        position = rng.uniform(-4, 4, 2)
        size = np.array(size_prior("person").size) + np.array(size_prior("person").sigma) * rng.standard_normal(3)
        box = box_of(CAMERAS[0], "person", position, 0.0, size)
        if box is None:
            continue
        lifted = lift_boxes(planes_of(CAMERAS[0], box + 3 * rng.standard_normal(4), 3.0), ["person"], GROUND, 0)
        error = lifted.position[0, :2] - position
        inside.append(error @ np.linalg.solve(lifted.covariance[0], error) < 5.99)
        errors.append(np.linalg.norm(error))
    assert 0.93 < np.mean(inside) <= 1.0  # measured 0.97: shapes are exact here, and the claim allows 5 cm
    assert 0.05 < np.median(errors) < 0.25  # measured 0.13


@pytest.mark.parametrize("heading", [0.0, 0.8, 1.6, 2.4])
def test_a_car_is_placed_whatever_its_heading(heading):
    position = np.array([1.0, -0.5])
    views = [(camera, box_of(camera, "car", position, heading)) for camera in CAMERAS]
    planes = [planes_of(camera, box) for camera, box in views if box is not None]
    single = lift_boxes(planes[0], ["car"], GROUND, 0)
    fused = fuse_views(planes, ["car"], GROUND, np.zeros(1, dtype=np.int64), single.position[:, :2])
    assert np.linalg.norm(fused.position[0, :2] - position) < 0.1  # measured at most 0.04
    assert np.trace(fused.covariance[0]) < np.trace(single.covariance[0])


def test_a_box_cut_off_by_the_border_is_less_sure():
    position = np.array([0.0, 0.0])
    box = box_of(CAMERAS[0], "person", position, 0.0)
    whole = lift_boxes(planes_of(CAMERAS[0], box), ["person"], GROUND, 0)
    cut = box.copy()
    cut[3] = SIZE[1]
    planes = planes_of(CAMERAS[0], cut)
    assert planes.sigma_px[0].tolist() == [1.0, 1.0, 1.0, UNKNOWN_PX, UNKNOWN_PX, UNKNOWN_PX]
    lifted = lift_boxes(planes, ["person"], GROUND, 0)
    assert np.trace(lifted.covariance[0]) > np.trace(whole.covariance[0])


def test_what_cannot_be_placed_says_so():
    sky = lift_boxes(planes_of(CAMERAS[0], [600.0, 5.5, 640.0, 40.0]), ["person"], GROUND, 0)
    nowhere = lift_boxes(planes_of(CAMERAS[0], [100.0, 300.0, 1200.0, 320.0]), ["person"], GROUND, 0)
    assert [sky.placed[0], nowhere.placed[0]] == [False, False]
    assert sky.reason[0]
    assert nowhere.reason[0]
    empty = box_planes(CameraModel.of(CAMERAS[0]), np.zeros((0, 4)), np.zeros((0, 2)), np.zeros((0, ROWS)))
    assert len(lift_boxes(empty, [], GROUND, 0)) == 0


def test_a_foot_places_a_car_whose_sides_are_hidden():
    position = np.array([0.5, 0.5])
    camera = CAMERAS[0]
    box = box_of(camera, "car", position, 0.4)
    model = CameraModel.of(camera)
    in_cam = (np.array([*position, 0.0]) - model.centre) @ model.site_from_cam
    foot = (in_cam[:2] / in_cam[2] * 900 + [640, 360])[None]
    hidden = box.copy()
    hidden[0] += 0.5 * (box[2] - box[0])
    lifted = lift_boxes(planes_of(camera, hidden, 2.0, foot), ["car"], GROUND, 0)
    assert lifted.placed[0]
    assert np.linalg.norm(lifted.position[0, :2] - position) < 0.25  # measured 0.07


def test_sides_inside_nearer_boxes_are_hidden():
    boxes = np.array([[100.0, 100, 200, 300], [150, 150, 260, 400], [500, 100, 600, 300]])
    shares = hidden_sides(boxes)
    np.testing.assert_allclose(shares[0], [0, 0, 0.75, 0.5])
    np.testing.assert_allclose(shares[1:], 0)


@given(st.floats(-np.pi, np.pi), st.sampled_from(["car", "van", "motorcycle"]))
def test_support_is_that_of_the_turned_points(heading, kind):
    outline, is_round = outlines_of((kind,))
    size = np.array([size_prior(kind).size])
    normals = np.random.default_rng(1).normal(size=(1, 7, 3))
    cos, sin = np.cos(heading), np.sin(heading)
    points = (outline[0] * size[0]) @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1.0]])
    expected = (points @ normals[0].T).max(axis=0)
    np.testing.assert_allclose(support(normals, np.array([heading]), size, outline, is_round).reach[0], expected)
