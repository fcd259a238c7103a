"""How much of a photo the walk has seen, against an independent count, and what tells the level."""

import numpy as np
import pytest

from geometry.cameras import project
from geometry.frames import position_of, transform_points
from scenes.captures.seen import WalkVisibility, images_seeing, level_evidence_px, seen_fraction
from scenes.captures.views import View, look
from scenes.facility import Wear
from scenes.rendering import cast
from tests.scenes.captures.surveyed_room import PHONE, other_world, room, survey_world, walk


def view(position: tuple[float, float, float], yaw: float, pitch: float = 0.0) -> View:
    return View(image="a.jpg", camera=PHONE, cam_from_site=look(position, yaw, pitch), time=0.0, level="G")


def visibility(views: list[View]) -> WalkVisibility:
    return WalkVisibility.of(views, survey_world().raycaster)


def test_images_seeing_a_point_agree_with_depth_maps() -> None:
    chosen = walk()[::6]
    eye = (8.0, 4.5, 1.6)
    points = cast(survey_world(), PHONE, look(eye, 0.4)).points_in_site.reshape(-1, 3)[::97].astype(np.float64)
    points = points[np.isfinite(points).all(axis=1)]
    counted = np.zeros(len(points), dtype=int)
    for each in chosen:
        in_cam = transform_points(each.cam_from_site, points)
        pixels, valid = project(PHONE, in_cam)
        valid &= ((pixels >= 0) & (pixels < (PHONE.width, PHONE.height))).all(axis=1)
        u, v = np.where(valid[:, None], pixels, 0).astype(int).T
        surface = cast(survey_world(), PHONE, each.cam_from_site)
        # the point lies on the plane of the surface that the pixel shows
        off = np.einsum("nk,nk->n", surface.normals[v, u], surface.points_in_site[v, u] - points)
        valid &= (np.abs(off) < 0.02) & (np.linalg.norm(surface.points_in_site[v, u] - points, axis=1) < 0.5)
        own, other = points - np.array(eye), points - position_of(each.cam_from_site)
        lengths = np.linalg.norm(own, axis=1), np.linalg.norm(other, axis=1)
        valid &= np.degrees(np.arccos((own * other).sum(axis=1) / lengths[0] / lengths[1])) < 45
        counted += valid & (np.abs(np.log2(lengths[0] / lengths[1])) <= 1)
    found = images_seeing(points, np.array(eye), PHONE.mean_focal_length(), visibility(chosen))
    assert (found == counted).mean() > 0.95  # measured 0.98; the rest are edges that a depth map blurs
    assert 0.1 < (found >= 2).mean() < 0.9


def test_a_photo_from_the_walk_is_seen_and_one_of_elsewhere_is_not() -> None:
    own = walk()[10]
    around = walk()[8:13]
    assert (
        seen_fraction(own.camera, own.cam_from_site, survey_world().raycaster, visibility(around)) > 0.6
    )  # measured 0.84
    assert (
        seen_fraction(own.camera, own.cam_from_site, survey_world().raycaster, visibility([own])) == 0.0
    )  # one image is not two
    assert (
        seen_fraction(own.camera, own.cam_from_site, survey_world().raycaster, visibility([own, own])) > 0.95
    )  # measured 1.0
    behind = View(**{**vars(own), "cam_from_site": look(position_of(own.cam_from_site), np.pi)})
    ahead = View(**{**vars(own), "cam_from_site": look(position_of(own.cam_from_site), 0.0)})
    assert (
        seen_fraction(behind.camera, behind.cam_from_site, survey_world().raycaster, visibility([ahead, ahead])) == 0.0
    )


def test_what_was_not_there_during_the_walk_is_not_seen() -> None:
    same = [view((8.0, 4.5, 1.6), yaw) for yaw in (1.2, 1.2)]
    here = cast(other_world(), PHONE, same[0].cam_from_site)
    there = cast(survey_world(), PHONE, same[0].cam_from_site)
    unchanged = (np.abs(here.depth - there.depth) < 0.02).mean()
    assert unchanged < 0.98  # other vehicles stand there
    fraction = seen_fraction(same[0].camera, same[0].cam_from_site, other_world().raycaster, visibility(same))
    assert fraction == pytest.approx(unchanged, abs=0.03)


def test_signs_that_name_a_level_and_listed_wear_tell_it() -> None:
    sign = cast(survey_world(), PHONE, look((14.0, 2.0, 2.6), 0.0))
    ids = survey_world().objects.index("G/sign G-sign level")
    assert level_evidence_px(room(), "G", sign) == (sign.instance_id == ids).sum() > 100
    exit_sign = cast(survey_world(), PHONE, look((3.0, 4.2, 2.95), np.pi))
    assert level_evidence_px(room().model_copy(update={"wear": ()}), "G", exit_sign) == 0
    wear = Wear(id="w", level="G", at=(8.0, 4.2), size=(1.0, 0.5))
    worn = room().model_copy(update={"wear": (wear,), "signs": ()})
    down = cast(survey_world(), PHONE, look((8.0, 4.2, 1.6), 0.0, -np.pi / 2))
    focal = PHONE.mean_focal_length()
    assert level_evidence_px(worn, "G", down) == pytest.approx(0.5 * (focal / 1.6) ** 2, rel=0.05)
    assert level_evidence_px(worn, "P9", down) == 0
