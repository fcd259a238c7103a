"""Thinning a synthetic map: within the budget, even over all photos, the sure before the unsure."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geometry import InputError, position_of
from tests.twin.mapping.worlds import model_of
from tests.twin.worlds import CAMERA, Mapped, mapped, room, walk
from twin.landmarks import Landmarks, only, quantized
from twin.mapping.landmark_model import landmark_model
from twin.mapping.thinning import Cost, cost_of, thinned


@pytest.fixture(scope="module")
def world() -> Mapped:
    rng = np.random.default_rng(1)
    return mapped(room(rng, count=4000), walk(), rng)


def thin(world: Mapped, share: float, landmarks: Landmarks | None = None) -> tuple[Landmarks, Cost, float]:
    landmarks = landmarks or world.landmarks
    cost = cost_of(landmarks, 1000)
    budget = cost.fixed + share * (cost.of(landmarks) - cost.fixed)
    sizes = np.tile((CAMERA.width, CAMERA.height), (len(world.poses), 1)).astype(np.float64)
    positions = np.array([position_of(pose) for pose in world.poses])
    return thinned(landmarks, budget, cost, sizes, positions), cost, budget


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_budget_is_kept_and_used(world: Mapped, share: float) -> None:
    after, cost, budget = thin(world, share)
    assert cost.of(after) <= budget
    assert cost.of(after) > 0.98 * budget
    assert set(after.ids.tolist()) <= set(world.landmarks.ids.tolist())


def test_every_photo_keeps_more_than_by_chance(world: Mapped) -> None:
    after, _, _ = thin(world, 0.3)
    fewest = np.diff(after.view_offsets).min()
    chance = only(world.landmarks, np.random.default_rng(0).random(len(world.landmarks)) < 0.3)
    assert fewest > 1.1 * np.diff(chance.view_offsets).min()


def test_what_may_have_vanished_goes_first(world: Mapped) -> None:
    weights = np.where(np.arange(len(world.landmarks)) % 2, 1.0, 0.05).astype(np.float32)
    after, _, _ = thin(world, 0.4, replace(world.landmarks, weights=weights))
    assert np.mean(after.weights == 1.0) > 0.9


def test_enough_is_left_as_it_is(world: Mapped) -> None:
    assert thin(world, 1.0)[0] is world.landmarks


def test_too_small_a_budget_says_which_would_do(world: Mapped) -> None:
    with pytest.raises(InputError, match="too few to localize by") as refused:
        thin(world, 0.02)
    assert "--budget-mb" in str(refused.value)


def test_cost_is_what_files_take(world: Mapped, tmp_path: Path) -> None:
    descriptors, step = quantized(world.landmarks.described(slice(None)))
    landmarks = replace(world.landmarks, descriptors=descriptors, descriptor_step=step)
    for name in ("map", "landmarks"):
        (tmp_path / name).mkdir()
    landmark_model(landmarks, model_of(world)).write(tmp_path / "map")
    landmarks.save(tmp_path / "landmarks")
    on_disk = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    claimed = cost_of(landmarks, 0).of(landmarks)
    assert on_disk <= claimed < 1.02 * on_disk + 16_000


def test_descriptors_are_kept_to_a_thousandth(world: Mapped, tmp_path: Path) -> None:
    exact = world.landmarks.described(slice(None))
    descriptors, step = quantized(exact)
    replace(world.landmarks, descriptors=descriptors, descriptor_step=step).save(tmp_path)
    stored = Landmarks.load(tmp_path)
    assert stored.descriptors.dtype == np.int8
    assert np.abs(stored.described(np.arange(100)) - exact[:100]).max() <= 0.51 * step
    assert step < 0.01
    assert quantized(np.zeros((0, 8), np.float32))[0].shape == (0, 8)
