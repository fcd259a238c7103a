"""Lines of detections.jsonl: what looks at stalls and at what changes add to them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.errors import InputError
from geometry.jsonl import write_jsonl
from geometry.track_records import (
    MAX_STALLS,
    DetectionRecord,
    FrameRecord,
    parse_detections,
    read_detections,
)

SHARES = st.floats(0, 1)
BOXES = st.builds(
    DetectionRecord,
    bbox=st.tuples(*[st.floats(0, 100)] * 2, *[st.floats(100, 200)] * 2),
    score=SHARES,
    kind=st.sampled_from(["car", "person"]),
    changed=st.none() | SHARES,
)
FRAMES = st.builds(
    FrameRecord,
    camera=st.text("abc", min_size=1, max_size=3),
    time=st.floats(0, 1e10),
    detections=st.lists(BOXES, max_size=3).map(tuple),
    stalls=st.none() | st.dictionaries(st.text(max_size=5), SHARES, max_size=4),
)


def frame(**more: Any) -> dict[str, Any]:
    return {"camera": "cam", "time": 1.0, "detections": (), **more}


def box(**more: Any) -> dict[str, Any]:
    return {"bbox": (0.0, 0.0, 5.0, 5.0), "score": 0.5, "class": "car", **more}


@given(record=FRAMES)
def test_a_line_is_read_as_it_was_written(record: FrameRecord) -> None:
    line = record.model_dump_json(by_alias=True, exclude_defaults=True)
    assert parse_detections(line.encode(), "here") == record


def test_files_keep_looks_apart_from_none_and_from_not_now(tmp_path: Path) -> None:
    told = [FrameRecord(**frame(time=float(k), stalls=stalls)) for k, stalls in enumerate((None, {}, {"A": 0.25}))]
    write_jsonl(tmp_path / "d.jsonl", [each.model_dump(by_alias=True, exclude_defaults=True) for each in told])
    assert list(read_detections(tmp_path / "d.jsonl")) == told
    assert [each.stalls for each in read_detections(tmp_path / "d.jsonl")] == [None, {}, {"A": 0.25}]


def test_lines_without_looks_are_as_they_were() -> None:
    record = parse_detections(b'{"camera": "a", "time": 1, "detections": [{"bbox": [0, 0, 1, 1], "score": 1, '
                              b'"class": "car"}]}', "here")  # fmt: skip
    assert record.stalls is None
    assert record.detections[0].changed is None


@pytest.mark.parametrize("value", ["-0.01", "1.01", "NaN", '"0.5"', "null", "true", "1e400"])
def test_probabilities_out_of_range_are_refused(value: str) -> None:
    line = f'{{"camera": "cam", "time": 1.0, "detections": [], "stalls": {{"A": 0.5, "B": {value}}}}}'
    with pytest.raises(InputError, match="stalls"):
        parse_detections(line.encode(), "line 7")


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), "0.5"])
def test_shares_out_of_range_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="changed"):
        FrameRecord.model_validate(frame(detections=(box(changed=value),)))


def test_too_many_stalls_are_refused() -> None:
    most = {str(k): 0.5 for k in range(MAX_STALLS)}
    assert len(FrameRecord.model_validate(frame(stalls=most)).stalls or {}) == MAX_STALLS
    with pytest.raises(ValueError, match="at most"):
        FrameRecord.model_validate(frame(stalls=most | {"more": 0.5}))
    with pytest.raises(ValueError, match="stalls"):
        FrameRecord.model_validate(frame(stalls=[0.5]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"whole": [1, 2, 3, 4]},
        {"sigma": [1, 1, 1, 1, 1, 1]},
        {"whole": [5, 2, 3, 4], "sigma": [1, 1, 1, 1, 1, 1]},
        {"whole": [1, 2, 3, 4], "sigma": [1, 1, 1, 0, 1, 1]},
        {"whole": [1, 2, 3, 4], "sigma": [1, 1, 1, 1]},
    ],
)
def test_a_whole_box_comes_with_how_sure_it_is(wrong: dict[str, list[float]]) -> None:
    box = {"bbox": [1, 2, 3, 4], "score": 0.5, "class": "car"}
    good = {**box, "whole": [1, 2, 3, 9], "sigma": [1, 1, 1, 2, 1, 1]}

    def parsed(each: dict[str, object]) -> FrameRecord:
        return parse_detections(json.dumps({"camera": "a", "time": 1.0, "detections": [each]}).encode(), "here")

    assert parsed(good).detections[0].whole == (1, 2, 3, 9)
    with pytest.raises(InputError, match="here"):
        parsed({**box, **wrong})
