import csv

from scenes.captures.sightings import GAP_S, sighting_row, sightings_of_camera, write_qrels
from tests.scenes.captures.recordings import half_minute, room
from tests.scenes.captures.test_boxes import box, frame


def seen(time, width, thing="v001"):
    return box(time=time, thing=thing, bbox_visible=(0.0, 0.0, float(width), 30.0))


def frames(*widths_at):
    return [frame(time=time, boxes=[seen(time, width)] if width else []) for time, width in widths_at]


def test_a_stay_is_one_sighting_at_its_largest_box():
    (only,) = sightings_of_camera(frames((0.0, 20), (1.0, 40), (2.0, 30)))
    assert (only.id, only.frame, only.box.time) == ("cam1-v001-0", 1, 1.0)
    assert (only.first, only.last) == (-1.0, 1.0)  # UTC is a second less here


def test_a_short_gap_does_not_end_a_stay_and_a_long_one_does():
    short = list(sightings_of_camera(frames((0.0, 20), (1.0, 0), (GAP_S, 30))))
    assert [s.id for s in short] == ["cam1-v001-0"]
    long = list(sightings_of_camera(frames((0.0, 20), (1.0, 0), (GAP_S + 1.0, 30))))
    assert [s.id for s in long] == ["cam1-v001-0", "cam1-v001-1"]


def test_what_is_hidden_or_tiny_is_no_sighting():
    hidden = frame(boxes=[box(bbox_visible=None, visible_fraction=0.0)])
    assert list(sightings_of_camera([hidden, *frames((11.0, 5))])) == []


def test_a_row_says_where_and_whose():
    recording, (facility, plan, _) = half_minute(), room()
    thing = recording.episode.objects[0]
    (sighting,) = sightings_of_camera([frame(boxes=[box(thing=thing.id, position=(3.0, 8.0, 0.0))])])
    row = sighting_row(sighting, "fixed/cam1/000000.jpg", recording, plan, facility.name)
    assert (row["facility"], row["level"], row["zone"], row["track"]) == ("room", "G", "G-zone-A", 1)
    assert row["meta"]["bbox"] == sighting.box.bbox_visible
    assert row["time"] == sighting.utc


def test_relevant_are_all_other_sightings_of_the_same_object(tmp_path):
    sightings = [("cam1-a-0", "a"), ("cam1-b-0", "b"), ("cam2-a-0", "a"), ("cam1-a-1", "a")]
    write_qrels(tmp_path / "qrels.csv", sightings)
    with open(tmp_path / "qrels.csv") as file:
        rows = [(r["query"], r["id"], r["relevance"]) for r in csv.DictReader(file)]
    names = ["cam1-a-0", "cam2-a-0", "cam1-a-1"]
    assert sorted(rows) == sorted((a, b, "1") for a in names for b in names if a != b)


def test_no_sightings_give_an_empty_table(tmp_path):
    write_qrels(tmp_path / "qrels.csv", [])
    assert (tmp_path / "qrels.csv").read_text() == "query,id,relevance\n"
