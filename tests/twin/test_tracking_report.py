import numpy as np
import pytest

from geometry.track_records import Observation, TrackRow
from twin.evaluate_tracking import intersection_over_union, judge_boxes, judge_tracks
from twin.matched_tracks import match_rows
from twin.report.tracking import write_tracking_report

pytest.importorskip("trackeval", reason="trackeval is not installed")


def row(time, track, x, boxes=(), kind="car", level=None):
    seen = tuple(Observation(camera=camera, time=time, bbox=box) for camera, box in boxes)
    return TrackRow.model_construct(
        time=time,
        track=track,
        kind=kind,
        level=level,
        zone=None,
        stall=None,
        position=(x, 0.0, 0.0),
        position_covariance=None,
        observations=seen,
    )


def box(at):
    return (10.0 * at, 0.0, 10.0 * at + 8.0, 20.0)


def test_boxes_keep_one_id_over_cameras():
    truth = [row(k / 5, 1, k, [("a", box(k)), ("b", box(k + 3))]) for k in range(10)]
    same = judge_boxes([each.model_copy(update={"track": 7}) for each in truth], truth)
    assert same["IDF1"] == pytest.approx(1.0)
    assert same["MOTA"] == pytest.approx(1.0)
    apart = [row(k / 5, 7, k, [("a", box(k))]) for k in range(10)]
    apart += [row(k / 5, 8, k, [("b", box(k + 3))]) for k in range(10)]
    broken = judge_boxes(apart, truth)
    assert broken["IDF1"] == pytest.approx(0.5)  # another id in each camera: half of the boxes have the wrong one
    assert broken["missed"] == broken["false"] == 0


def test_without_observations_there_are_no_boxes_to_judge():
    rows = [row(k / 5, 1, k) for k in range(5)]
    assert judge_boxes(rows, rows) is None
    assert judge_tracks(rows, rows)["boxes"] is None


def test_intersection_over_union_of_halves_and_of_nothing():
    a = np.array([[0.0, 0, 2, 2], [5, 5, 6, 6]])
    b = np.array([[0.0, 0, 2, 1], [5, 5, 5, 5]])
    assert intersection_over_union(a, b) == pytest.approx(np.array([[0.5, 0.0], [0.0, 0.0]]))
    assert intersection_over_union(a, np.zeros((0, 4))).shape == (2, 0)


def test_report_shows_every_change_of_identity_and_escapes_names(tmp_path):
    truth = [row(k / 5, 1, k / 5) for k in range(20)] + [row(k / 5, 2, 5 + k / 5) for k in range(20)]
    kind = "<script>alert(1)</script>"
    result = [row(k / 5, 3 if k < 8 else 4, k / 5, kind=kind) for k in range(20)]
    result += [row(k / 5, 5, 5 + k / 5, kind=kind) for k in range(20)]
    matched, figures = match_rows(result, truth), judge_tracks(result, truth)
    write_tracking_report(tmp_path / "report.html", result, matched=matched, figures=figures)
    page = (tmp_path / "report.html").read_text("utf-8")
    changes = sum(len(entry["changes"]) for entry in figures["identities"])
    assert changes == 1
    assert page.count('id="change-') == changes
    assert page.count('class="switch"') == changes
    assert "object 1: 3 became 4" in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_report_without_truth_has_a_line_for_each_track(tmp_path):
    rows = [
        row(k / 5, track, k / 5 + 9 * track, [("a", box(k))] if k < 5 else ()) for k in range(10) for track in (1, 2)
    ]
    write_tracking_report(tmp_path / "report.html", rows)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count('class="track"') == 2
    assert page.count('class="bar"') == page.count('class="asked"') == 2
    assert "Every change" not in page


def test_report_of_nothing(tmp_path):
    write_tracking_report(tmp_path / "report.html", [])
    assert "0 tracks" in (tmp_path / "report.html").read_text("utf-8")


def test_what_is_parked_has_a_mark(tmp_path):
    rows = [row(k / 5, 1, 3.0) for k in range(10)] + [row(k / 5, 2, float(k)) for k in range(10)]
    write_tracking_report(tmp_path / "r.html", sorted(rows, key=lambda each: each.time))
    page = (tmp_path / "r.html").read_text()
    assert page.count('class="stays"') == page.count('class="track"') == 1
