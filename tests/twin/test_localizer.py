"""The localizer in a synthetic world: exact when clean, honest when noisy, and refusing rather than guessing."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry import InputError, calibration, pose_difference, pose_error, pose_from_matrix
from perception import Features, Picture
from tests.twin.textures.grounds import ground, photo_of, surface_of
from tests.twin.worlds import CAMERA, DIMENSION, World, joined, looking, mapped, moved, room, walk
from twin import localizer
from twin.localizer_options import LocalizerOptions
from twin.telltales import Telltale
from twin.textures import Occluders, Textures, cut_textures

QUERY = looking((0.7, -0.4, 1.5), 0.6)


def test_clean_world_gives_the_exact_pose() -> None:
    rng = np.random.default_rng(0)
    world = room(rng, noise=0.0)
    answer = mapped(world, walk(), rng).localizer().localize("q", world.see(QUERY, rng)[0], CAMERA)
    metres, degrees = pose_error(answer.cam_from_site, QUERY)
    assert answer.status == "ok"
    assert metres < 1e-5  # keypoints are float32: 3e-7 m measured
    assert degrees < 1e-4
    assert answer.confidence > 0.95  # measured 0.97: even a perfect fit is never sure


def test_noisy_world_has_errors_of_the_size_it_claims() -> None:
    rng = np.random.default_rng(1)
    world = room(rng)
    localizer = mapped(world, walk(), rng).localizer(LocalizerOptions(another_day=1.0))
    differences, covariances = [], []
    for _ in range(150):
        pose = looking((*rng.uniform(-1.5, 1.5, 2), rng.uniform(1.2, 1.8)), rng.uniform(0, 2 * np.pi))
        answer = localizer.localize("q", world.see(pose, rng)[0], CAMERA)
        assert answer.status == "ok", answer.reason
        differences.append(pose_difference(pose, answer.cam_from_site))
        covariances.append(answer.covariance)
    judged = calibration(np.array(differences), np.array(covariances))
    assert 0.83 <= judged.coverage[0.9] <= 0.97  # measured 0.92
    assert 0.7 < judged.mean_nees < 1.35  # measured 0.88
    assert np.linalg.norm(np.array(differences)[:, 3:], axis=1).mean() > 5e-4  # measured 1.9 mm: the noise must show


def test_another_day_widens_what_is_claimed() -> None:
    rng = np.random.default_rng(1)
    world = room(rng)
    places, features = mapped(world, walk(), rng), world.see(QUERY, rng)[0]
    same, another = (
        places.localizer(LocalizerOptions(another_day=wider)).localize("q", features, CAMERA) for wider in (1.0, 2.25)
    )
    np.testing.assert_allclose(another.covariance, 2.25 * np.array(same.covariance))


def test_another_place_is_refused() -> None:
    rng = np.random.default_rng(2)
    here, elsewhere = room(rng), room(rng)
    localizer = mapped(here, walk(), rng).localizer()
    for yaw in np.linspace(0, 6, 7):
        answer = localizer.localize("q", elsewhere.see(looking((0, 0, 1.5), yaw), rng)[0], CAMERA)
        assert answer.status == "refused"
        assert answer.position is None
        assert answer.coarse  # a guess where to look, never a pose


def test_two_identical_rooms_are_ambiguous() -> None:
    rng = np.random.default_rng(3)
    lower = room(rng)
    upper = moved(lower, (0.0, 0.0, 3.5))
    view = lower.see(QUERY, rng)[0]
    maps = [mapped(lower, walk(), rng), mapped(upper, walk(centre=(0.0, 0.0, 5.1)), rng)]
    assert maps[0].localizer().localize("q", view, CAMERA).status == "ok"
    answer = joined(maps).localizer().localize("q", view, CAMERA)
    assert answer.status == "refused"
    assert "ambiguous" in (answer.reason or "")


def test_a_look_alike_is_named_on_its_storey_found_or_not() -> None:
    rng = np.random.default_rng(3)
    lower = room(rng)
    upper = moved(lower, (0.0, 0.0, 3.5))
    view = lower.see(QUERY, rng)[0]
    maps = [mapped(lower, walk(), rng), mapped(upper, walk(centre=(0.0, 0.0, 5.1)), rng)]
    alike = LocalizerOptions(alike=1.0)
    both = joined(maps).localizer(alike, (0.0, 3.5)).localize("q", view, CAMERA)
    one = maps[0].localizer(alike, (0.0, 3.5)).localize("q", view, CAMERA)
    for answer in (both, one):
        assert answer.status == "refused"
        assert "ambiguous: 2 places" in (answer.reason or "")
        heights = sorted(place.position[2] for place in answer.coarse)
        np.testing.assert_allclose(heights, [1.5, 5.0], atol=0.02)
        assert sum(place.probability for place in answer.coarse) <= 1.0 + 1e-9


def test_a_photo_on_its_side_is_localized_too() -> None:
    rng = np.random.default_rng(8)
    world = room(rng)
    localizer = mapped(world, walk(), rng).localizer()
    upright = QUERY.rotation.matrix()
    for degrees in (90.0, 180.0, -90.0):
        turn = Rotation.from_euler("z", degrees, degrees=True)
        rolled = pose_from_matrix(turn.as_matrix() @ upright, turn.apply(QUERY.translation))
        features = world.see(rolled, rng)[0]
        turned = replace(features, orientations=features.orientations + np.float32(np.radians(degrees)))
        answer = localizer.localize("q", turned, CAMERA)
        assert answer.status == "ok", answer.reason
        assert pose_error(answer.cam_from_site, rolled)[0] < 0.02  # measured at most 0.004 m


def test_too_few_features_and_wrong_kind() -> None:
    rng = np.random.default_rng(4)
    world = room(rng)
    localizer = mapped(world, walk(), rng).localizer()
    empty = Features.empty(kind="synthetic", dimension=DIMENSION, image_size=(640, 480))
    assert "features" in (localizer.localize("q", empty, CAMERA).reason or "")
    features = world.see(QUERY, rng)[0]
    other = Features(**{**vars(features), "kind": "other"})
    with pytest.raises(InputError, match="synthetic"):
        localizer.localize("q", other, CAMERA)


def test_weakly_determined_pose_is_refused() -> None:
    rng = np.random.default_rng(5)
    world = room(rng)
    localizer = mapped(world, walk(), rng).localizer(LocalizerOptions(max_sigma_m=1e-6))
    assert "weakly determined" in (localizer.localize("q", world.see(QUERY, rng)[0], CAMERA).reason or "")


def test_answers_are_reproducible() -> None:
    rng = np.random.default_rng(6)
    world = room(rng)
    localizer = mapped(world, walk(), rng).localizer()
    features = world.see(QUERY, rng)[0]
    first, second = (localizer.localize("q", features, CAMERA) for _ in range(2))
    assert first.model_copy(update={"seconds": 0}) == second.model_copy(update={"seconds": 0})


def test_threads_and_clients_at_once_change_no_answer() -> None:
    """Two rooms alike: several groups are searched, several poses refined, and tried on other storeys."""
    rng = np.random.default_rng(3)
    lower = room(rng)
    maps = [mapped(lower, walk(), rng), mapped(moved(lower, (0.0, 0.0, 3.5)), walk(centre=(0.0, 0.0, 5.1)), rng)]
    views = [lower.see(pose, rng)[0] for pose in (QUERY, *walk()[:3])]

    def answers(threads: int, clients: int) -> list[object]:
        localizer = joined(maps).localizer(LocalizerOptions(alike=1.0, threads=threads), (0.0, 3.5))
        with ThreadPoolExecutor(clients) as executor:
            chosen = list(executor.map(lambda view: localizer.localize_with_choice("q", view, CAMERA)[1], views))
        assert all(choice is not None and len(choice.candidates) > 1 for choice in chosen)
        return [(c.probabilities.tolist(), [str(p.estimate.cam_from_site) for p in c.candidates]) for c in chosen if c]

    alone = answers(1, 1)
    for threads, clients in ((2, 1), (5, 4), (2, 2)):
        assert answers(threads, clients) == alone


def test_what_a_photo_shows_decides_between_storeys(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    lower = room(rng)
    view = lower.see(QUERY, rng)[0]
    both = joined(
        [mapped(lower, walk(), rng), mapped(moved(lower, (0.0, 0.0, 3.5)), walk(centre=(0.0, 0.0, 5.1)), rng)]
    )
    asked: list[list[int]] = []

    def told(_: object, gray: np.ndarray, camera: object, poses: list[object], levels: list[int]) -> np.ndarray | None:
        asked.append(sorted(levels))
        return np.array([-4.0, 0.0])

    monkeypatch.setattr(localizer, "level_log_odds", told)
    telltale = Telltale(
        name="stain", origin=np.zeros((2, 3)), right=np.zeros((2, 3)), down=np.zeros((2, 3)),
        looks=np.zeros((2, 1, 1), np.float32),
    )  # fmt: skip
    one = both.localizer(LocalizerOptions(alike=1.0), (0.0, 3.5), [telltale])
    picture = Picture(name="q", pixels=np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8))
    answer = one.localize("q", view, CAMERA, picture)
    assert answer.status == "ok"
    assert answer.position is not None
    assert answer.position[2] == pytest.approx(5.0, abs=0.02)
    assert asked == [[0, 1]], "poses of one place are asked together"
    assert one.localize("q", view, CAMERA).status == "refused", "without the picture nothing was looked at"


def floors(*seeds: int) -> Textures:
    """Return the textures of a floor on each level, 3.5 m apart."""
    surfaces = [surface_of(ground(seed), height=3.5 * level) for level, seed in enumerate(seeds)]
    return Textures.joined([cut_textures(each) for each in surfaces])


def hardly_seen(world: World, rng: np.random.Generator) -> Features:
    """Return nine features of a view of a world among sixty of another one."""
    right, wrong = world.see(QUERY, rng)[0].take(slice(9)), room(rng).see(QUERY, rng)[0].take(slice(60))
    names = ("keypoints", "scales", "orientations", "scores", "descriptors")
    return replace(right, **{name: np.concatenate([getattr(right, name), getattr(wrong, name)]) for name in names})


def picture_of(seed: int) -> Picture:
    gray = photo_of(ground(seed), QUERY, noise=2.0, camera=CAMERA)
    return Picture(name="q", pixels=np.repeat(gray[..., None], 3, axis=2))


def test_textures_verify_a_pose_that_few_matches_support() -> None:
    rng = np.random.default_rng(9)
    world = room(rng)
    few = hardly_seen(world, rng)
    localizer = mapped(world, walk(), rng).localizer(storeys=(0.0,), textures=floors(0))
    assert localizer.localize("q", few, CAMERA).status == "refused"
    answer = localizer.localize("q", few, CAMERA, picture_of(0))
    assert answer.status == "ok", answer.reason
    metres, degrees = pose_error(answer.cam_from_site, QUERY)
    assert metres < 0.03  # measured 0.006
    assert degrees < 0.3  # measured 0.055
    assert localizer.localize("q", few, CAMERA, picture_of(1)).status == "refused", "of another floor"


def test_textures_that_landmarks_stand_before_are_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    world = room(rng)
    view = world.see(QUERY, rng)[0]
    world_map = mapped(world, walk(), rng)

    def looked_for() -> int:
        localizer = world_map.localizer(storeys=(0.0,), textures=floors(0))
        _, choice = localizer.localize_with_choice("q", view, CAMERA, picture_of(0))
        assert choice is not None
        return choice.best.textured.looked_for

    with_occluders = looked_for()
    monkeypatch.setattr("twin.candidates.Occluders.of", lambda *_: Occluders(points=np.zeros((0, 3))))
    assert 0 < with_occluders < looked_for()


def test_textures_tell_storeys_apart_whose_floors_differ() -> None:
    rng = np.random.default_rng(3)
    lower = room(rng)
    view = lower.see(QUERY, rng)[0]
    both = joined(
        [mapped(lower, walk(), rng), mapped(moved(lower, (0.0, 0.0, 3.5)), walk(centre=(0.0, 0.0, 5.1)), rng)]
    )
    one = both.localizer(storeys=(0.0, 3.5), textures=floors(0, 1))
    assert one.localize("q", view, CAMERA).status == "refused"
    answer = one.localize("q", view, CAMERA, picture_of(0))
    assert answer.status == "ok", answer.reason
    assert answer.position is not None
    assert answer.position[2] == pytest.approx(1.5, abs=0.02)


def test_textures_that_all_storeys_share_decide_nothing() -> None:
    rng = np.random.default_rng(3)
    lower = room(rng)
    view = lower.see(QUERY, rng)[0]
    both = joined(
        [mapped(lower, walk(), rng), mapped(moved(lower, (0.0, 0.0, 3.5)), walk(centre=(0.0, 0.0, 5.1)), rng)]
    )
    one = both.localizer(LocalizerOptions(alike=1.0), (0.0, 3.5), textures=floors(0, 0))
    answer, choice = one.localize_with_choice("q", view, CAMERA, picture_of(0))
    assert answer.status == "refused"
    assert "ambiguous: 2 places" in str(answer.reason)
    assert sorted(round(place.position[2], 1) for place in answer.coarse) == [1.5, 5.0]
    assert choice is not None
    assert [each.textured.found > 20 for each in choice.candidates] == [True, True]
    assert choice.probabilities.sum() > 0.97  # nothing that was not found is left
    assert choice.probabilities[0] - choice.probabilities[1] < 0.03


def test_a_pose_that_painted_lines_fit_is_not_verified() -> None:
    rng = np.random.default_rng(9)
    world = room(rng)
    few = hardly_seen(world, rng)
    lines = np.full(ground().shape, 110.0)
    lines[:, 50::63] = 200.0
    floor = cut_textures(surface_of(lines))
    localizer = mapped(world, walk(), rng).localizer(storeys=(0.0,), textures=floor)
    gray = photo_of(lines, QUERY, camera=CAMERA)
    picture = Picture(name="q", pixels=np.repeat(gray[..., None], 3, axis=2))
    assert localizer.localize("q", few, CAMERA, picture).status == "refused"
