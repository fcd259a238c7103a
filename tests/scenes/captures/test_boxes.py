import json

import pytest

from geometry.errors import InputError
from geometry.jsonl import read_jsonl, write_jsonl
from scenes.captures.boxes import Box, FrameBoxes, in_frames


def box(camera="cam1", time=10.0, thing="v001", **fields):
    values = {
        "kind": "car", "bbox": (1.0, 2.0, 30.0, 40.0), "bbox_visible": (1.0, 2.0, 20.0, 40.0),
        "visible_fraction": 0.7, "contact": (15.0, 33.5), "position": (1.0, 2.0, 0.0), "heading": 0.5,
        "size": (4.2, 1.8, 1.5),
    }  # fmt: skip
    return Box(camera=camera, time=time, object=thing, **(values | fields))


def frame(camera="cam1", time=10.0, boxes=()):
    return FrameBoxes(camera=camera, time=time, utc=time - 1.0, image_size=(64, 48), boxes=tuple(boxes))


def test_boxes_round_trip_in_the_form_of_the_file(tmp_path):
    boxes = [box(), box(thing="p001", bbox_visible=None, visible_fraction=0.0, contact=None)]
    write_jsonl(tmp_path / "boxes.jsonl", (b.row() for b in boxes))
    assert list(read_jsonl(tmp_path / "boxes.jsonl", Box)) == boxes
    keys = [
        "camera",
        "time",
        "object",
        "class",
        "bbox",
        "bbox_visible",
        "visible_fraction",
        "contact",
        "position",
        "heading",
        "size",
    ]
    assert list(json.loads((tmp_path / "boxes.jsonl").read_text().splitlines()[0])) == keys


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visible_fraktion": 1.0}, "line 1.*Did you mean 'visible_fraction'"),
        ({"visible_fraction": 1.5}, "less than or equal to 1"),
        ({"position": [0, 0]}, "position"),
        ({"heading": None}, "heading"),
    ],
)
def test_a_malformed_line_is_refused(tmp_path, change, message):
    (tmp_path / "boxes.jsonl").write_text(json.dumps(box().row() | change))
    with pytest.raises(InputError, match=message):
        list(read_jsonl(tmp_path / "boxes.jsonl", Box))


def test_a_truncated_line_is_refused(tmp_path):
    (tmp_path / "boxes.jsonl").write_text(json.dumps(box().row())[:50])
    with pytest.raises(InputError, match="line 1"):
        list(read_jsonl(tmp_path / "boxes.jsonl", Box))


def test_empty_frames_stay_between_those_with_boxes():
    boxes = [box(time=1.0), box(time=1.0, thing="v002"), box(time=3.0), box(camera="cam2", time=1.0)]
    frames = [frame(time=t) for t in (1.0, 2.0, 3.0)] + [frame("cam2", 1.0)]
    assert [len(f.boxes) for f in in_frames(boxes, frames)] == [2, 0, 1, 1]
    assert [len(f.boxes) for f in in_frames([], frames)] == [0, 0, 0, 0]


def test_a_box_without_its_frame_is_refused():
    with pytest.raises(InputError, match="belong to no frame"):
        list(in_frames([box(time=2.5)], [frame(time=2.0), frame(time=3.0)]))
