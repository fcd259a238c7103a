"""localizations.jsonl: what is written reads back, and what is wrong is refused by line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from geometry import InputError
from tests.support import assert_poses_close, poses
from twin.localization import Place, localized, read_localizations, refusal, write_localizations

COARSE = [Place(position=(1.0, 2.0, 3.0), radius_m=2.0, probability=0.7)]


@given(pose=poses())
def test_pose_survives_its_text_form(pose: object) -> None:
    answer = localized("a.jpg", pose, np.eye(6), confidence=0.9, inliers=40)  # type: ignore[arg-type]
    assert_poses_close(type(answer).model_validate_json(answer.model_dump_json()).cam_from_site, pose)


def test_written_answers_read_back_equal(tmp_path: Path) -> None:
    from tests.support import rigid

    pose = rigid([0.1, 0.2, 0.3], [1.0, 2.0, 3.0])
    answers = [
        localized("a.jpg", pose, np.diag(np.arange(1.0, 7.0)), confidence=0.5, inliers=9, coarse=COARSE, seconds=0.1),
        refusal("b/ü.jpg", "nothing looks like it", coarse=COARSE),
    ]
    write_localizations(tmp_path / "out.jsonl", answers)
    assert read_localizations(tmp_path / "out.jsonl") == answers
    write_localizations(tmp_path / "none.jsonl", [])
    assert read_localizations(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[]",
        '{"image": "a"}',
        '{"image": "a", "status": "ok"}',
        '{"image": "a", "status": "refused"}',
        '{"image": "a", "status": "maybe", "reason": "x"}',
        '{"image": "a", "status": "refused", "reason": "x", "extra": 1}',
    ],
)
def test_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    good = refusal("z.jpg", "why").model_dump_json()
    (tmp_path / "bad.jsonl").write_text(f"{good}\n{line}\n")
    with pytest.raises(InputError, match="line 2"):
        read_localizations(tmp_path / "bad.jsonl")


def test_the_same_image_twice_is_refused(tmp_path: Path) -> None:
    good = refusal("z.jpg", "why").model_dump_json()
    (tmp_path / "bad.jsonl").write_text(f"{good}\n{good}\n")
    with pytest.raises(InputError, match="already in line 1"):
        read_localizations(tmp_path / "bad.jsonl")


def test_refused_query_has_no_pose() -> None:
    with pytest.raises(InputError, match="no pose"):
        _ = refusal("a", "why").cam_from_site
