"""Of a walk's two maps the grown one is taken only where it has what the first had, and more."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pycolmap
import pytest

from geometry import CancelledError, MappingError
from twin.mapping import walking
from twin.mapping.walking import Walked, _require_better, map_walk
from twin.progress import silent


def walked(names: list[str], centres: np.ndarray, left_out: dict[str, str] | None = None) -> Walked:
    model: Any = pycolmap.Reconstruction()
    camera = pycolmap.Camera.create_from_model_name(1, "PINHOLE", 400.0, 640, 480)
    model.add_camera_with_trivial_rig(camera)
    for number, (name, centre) in enumerate(zip(names, centres, strict=True), start=1):
        image = pycolmap.Image(name=name, image_id=number, camera_id=1)
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pycolmap.Rotation3d(), -centre))
    capture: Any = SimpleNamespace(names=tuple(names))
    return Walked(capture=capture, features=[], pairs=[], model=model, left_out=left_out or {})


NAMES = [f"{row:03d}.jpg" for row in range(44)]
CENTRES = np.column_stack([np.arange(44.0), 5.0 * np.sin(0.2 * np.arange(44.0)), 2.0 * np.cos(0.3 * np.arange(44.0))])
FIRST = walked(NAMES[:40], CENTRES[:40])


def test_more_photos_and_the_others_where_they_were_are_better() -> None:
    _require_better(FIRST, walked(NAMES, CENTRES))
    _require_better(FIRST, walked(NAMES, 2.0 * CENTRES + 1.0))  # in a frame of its own


@pytest.mark.parametrize(
    ("names", "centres", "why"),
    [
        (NAMES[:40], CENTRES[:40], "are placed"),
        (NAMES[4:], CENTRES[4:], "are placed"),
        (NAMES, np.where(np.arange(44)[:, None] < 12, CENTRES + np.array([0.0, 9.0, 0.0]), CENTRES), "elsewhere"),
        (NAMES, np.concatenate([CENTRES[:40], CENTRES[40:] + 60 * np.arange(1, 5)[:, None]]), "jumps"),
    ],
)
def test_what_is_no_better_is_refused(names: list[str], centres: np.ndarray, why: str) -> None:
    with pytest.raises(MappingError, match=why):
        _require_better(FIRST, walked(names, centres))


def mapped(monkeypatch: pytest.MonkeyPatch, *results: Walked | Exception) -> list[tuple[Any, ...]]:
    """Have maps made in this order; return what they were asked for."""
    asked, left = list[tuple[Any, ...]](), list(results)

    def make(*given: Any) -> Walked:
        asked.append(given)
        result = left.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(walking, "_mapped", make)
    monkeypatch.setattr(walking, "lay_out_walk", lambda *given: "laid")
    monkeypatch.setattr(walking, "regrow", lambda *given: "grown")
    return asked


GIVEN: Any = (SimpleNamespace(names=tuple(NAMES)), [], {}, None, None, silent)


def test_the_grown_map_starts_fine_and_keeps_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = walked(NAMES[:40], CENTRES[:40], {"041.jpg": "torn"}), walked(NAMES, CENTRES)
    asked = mapped(monkeypatch, first, second)
    assert map_walk(*GIVEN) is second
    assert [each[3] for each in asked] == ["laid", "grown"]
    assert asked[1][4] == {"041.jpg": "torn"}
    assert max(asked[1][5]) < max(asked[0][5])


@pytest.mark.parametrize("error", [MappingError("folded"), RuntimeError("check failed"), IndexError("no such image")])
def test_a_map_that_does_not_come_about_costs_nothing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    mapped(monkeypatch, FIRST, error)
    assert map_walk(*GIVEN) is FIRST


def test_a_worse_map_is_not_taken_and_who_cancels_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    mapped(monkeypatch, FIRST, walked(NAMES[:30], CENTRES[:30]))
    assert map_walk(*GIVEN) is FIRST
    mapped(monkeypatch, FIRST, CancelledError("stopped"))
    with pytest.raises(CancelledError):
        map_walk(*GIVEN)


def test_photos_in_no_order_are_no_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "lay_out_walk", lambda *given: None)
    assert map_walk(*GIVEN) is None
