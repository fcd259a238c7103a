from dataclasses import replace

import numpy as np
import pytest

from geometry import FixedCamera, camera_from_params
from geometry.box_views import CameraModel
from geometry.errors import InputError
from perception.detections import Detections
from perception.tracking.options import TrackerOptions
from perception.tracking.smoothing import chain_of, smoothed, states_at
from perception.tracking.tracker import MAX_BOXES, GroundTracker, instants
from perception.whole_boxes import WholeBoxes
from tests.perception.sites import GROUND, box_of, cameras, looking, walk

CAMERAS = cameras()
CROSSING = {
    1: ("person", np.array([-3.0, 0.4]), np.array([1.2, 0.0])),
    2: ("person", np.array([3.0, -0.4]), np.array([-1.2, 0.0])),
    3: ("car", np.array([-3.0, 3.0]), np.array([1.0, 0.0])),
}


def detections(frames):
    return [
        Detections.of(
            frame.camera,
            frame.time,
            [each.bbox for each in frame.detections],
            [each.kind for each in frame.detections],
            [each.score for each in frame.detections],
        )
        for frame in frames
    ]


def tracker(options=None):
    return GroundTracker([CameraModel.of(camera) for camera in CAMERAS], GROUND, options)


def followed(frames, options=None):
    run = tracker(options)
    for group in instants(detections(frames), 0.002):
        run.update(group)
    return run.end()


@pytest.mark.parametrize("noise_px", [0.0, 3.0])
def test_objects_that_cross_keep_their_tracks_in_all_cameras(noise_px):
    options = TrackerOptions(box_px=max(noise_px, 1.0))
    found = followed(walk(CROSSING, 5.0, noise_px=noise_px, rng=np.random.default_rng(3)), options)
    assert sorted(each.kind for each in found) == ["car", "person", "person"]
    assert all({seen.camera for seen in each.seen} == {"west", "south", "east"} for each in found)
    chains = [chain_of([each], [(0, k) for k in range(len(each.times))]) for each in found]
    errors = []
    for path in smoothed(chains, GROUND, options):
        times = np.arange(0.5, 4.0, 0.25)
        means, covariances, _ = states_at(path, times)
        truths = [start + velocity * times[:, None] for _, start, velocity in CROSSING.values()]
        nearest = min(truths, key=lambda truth: np.linalg.norm(truth - means[:, :2], axis=1).mean())
        errors += np.linalg.norm(nearest - means[:, :2], axis=1).tolist()
        assert (np.linalg.eigvalsh(covariances) > 0).all()
    assert np.percentile(errors, 95) < (0.05 if noise_px == 0 else 0.15)  # measured 0.02 and 0.07


def test_a_track_survives_frames_without_it():
    frames = walk({1: CROSSING[1]}, 5.0)
    hidden = [f.model_copy(update={"detections": ()}) if 2.0 < f.time < 3.2 else f for f in frames]
    assert len(followed(hidden)) == 1


def test_low_scores_continue_tracks_and_found_none():
    frames = walk({1: CROSSING[1]}, 4.0)
    weak = [
        f.model_copy(update={"detections": tuple(d.model_copy(update={"score": 0.3}) for d in f.detections)})
        for f in frames
    ]
    assert followed(weak) == []
    mixed = [*frames[: len(frames) // 2], *weak[len(frames) // 2 :]]
    (found,) = followed(mixed)
    assert found.times[-1] > 3.5


def test_scattered_false_boxes_become_no_track():
    rng, run = np.random.default_rng(2), tracker()
    for k in range(60):
        corner = rng.uniform([0, 200], [1100, 500])
        run.update([Detections.of("west", k / 5, [[*corner, *(corner + rng.uniform(30, 150, 2))]], "person")])
    assert run.end() == []


def test_ids_are_unique_to_an_instance_and_reset_starts_anew():
    frames, run = detections(walk({1: CROSSING[1]}, 3.0)), tracker()
    for _ in range(2):
        for group in instants(frames, 0.002):
            run.update(group)
        assert [each.id for each in run.end()] == [1]
        run.reset()


def test_bad_frames_are_refused_and_change_nothing():
    run = tracker()
    run.update([Detections.of("west", 1.0, np.zeros((0, 4)), ())])
    with pytest.raises(InputError, match="Did you mean 'west'"):
        run.update([Detections.of("wset", 2.0, np.zeros((0, 4)), ())])
    with pytest.raises(InputError, match="time runs backwards"):
        run.update([Detections.of("west", 0.5, np.zeros((0, 4)), ())])
    with pytest.raises(InputError, match="two frames"):
        run.update([Detections.of("west", 2.0, np.zeros((0, 4)), ())] * 2)
    assert run.time == 1.0
    with pytest.raises(InputError, match="not finite"):
        Detections.of("west", np.nan, np.zeros((0, 4)), ())


def test_bad_boxes_are_counted_and_disturb_nobody():
    good = box_of(CAMERAS[0], "person", np.zeros(2), 0.0)
    bad = [[np.nan, 0, 10, 10], [5000, 0, 5100, 50], [10, 10, 10, 60], [-1e300, 0, 1e300, 10]]
    run = tracker()
    for k in range(5):
        run.update([Detections.of("west", k / 5, [good, *bad], "person")])
    assert run.dropped == {"unusable": 20, "too many": 0}
    assert len(run.end()) == 1


def test_a_flood_of_boxes_is_cut_to_the_surest():
    good = box_of(CAMERAS[0], "person", np.zeros(2), 0.0)
    flood = np.tile([0.0, 0.0, 3.0, 3.0], (20 * MAX_BOXES, 1))
    run = tracker()
    for k in range(3):
        scores = np.concatenate([[0.9], np.full(len(flood), 0.2)])
        run.update([Detections.of("west", k / 5, np.vstack([good, flood]), "person", scores)])
    assert run.dropped["too many"] == 3 * (len(flood) + 1 - MAX_BOXES)
    assert len(run.table) == 1


def test_a_silent_hour_ends_tracks_and_nothing_else():
    run = tracker()
    frames = detections(walk({1: CROSSING[1]}, 3.0))
    later = [Detections.of(f.camera, f.time + 3600, f.boxes, f.kinds, f.scores) for f in frames]
    for group in instants([*frames, *later], 0.002):
        run.update(group)
    assert len(run.end()) == 2


def test_boxes_tell_less_the_sooner_their_camera_had_shown_others():
    """Each camera by its own frames: one of 25 a second beside one of one a second, and one after a silence."""
    run, widened = tracker(TrackerOptions(persist_s=0.6)), {"west": [], "east": []}
    told = tracker(TrackerOptions())
    for k in range(51):
        for camera in ("west", "east") if k % 25 == 0 else ("west",):
            frame = Detections.of(camera, k / 25, [[600.0, 300, 700, 380]], "car", 0.9)
            wide, usual = (each._view(frame).planes.sigma_px[0, :4] for each in (run, told))
            widened[camera].append(float((wide / usual).mean()))
            run.update([frame])
    assert widened["west"] == pytest.approx([1.0] + [np.sqrt(1 + 2 * 0.6 * 25)] * 50)
    assert widened["east"] == pytest.approx([1.0] + [np.sqrt(1 + 2 * 0.6)] * 2)


def test_errors_that_last_leave_positions_as_unsure_as_they_are():
    """Errors of a second, at 5 frames a second: taken as new ones in each frame they would average out.

    Nothing hides anything here, and a side that is far off is not taken for a hidden one.
    """
    car = {3: CROSSING[3]}
    _, start, velocity = CROSSING[3]
    rho, times = float(np.exp(-0.2 / 1.0)), np.arange(1.0, 4.5, 0.5)
    squared = {}
    for persist_s in (0.0, 0.2 * rho / (1 - rho)):
        options, found = TrackerOptions(box_px=8.0, persist_s=persist_s, visible_boxes=False), []
        for seed in range(12):
            rng, error, frames = np.random.default_rng(seed), {}, []
            for frame in detections(walk(car, 5.0)):
                last = error.get(frame.camera, rng.normal(0, 8.0, 4))
                error[frame.camera] = rho * last + np.sqrt(1 - rho**2) * rng.normal(0, 8.0, 4)
                boxes = frame.boxes + error[frame.camera]
                frames.append(Detections.of(frame.camera, frame.time, boxes, frame.kinds, frame.scores))
            run = tracker(options)
            for group in instants(frames, 0.002):
                run.update(group)
            own = max(run.end(), key=lambda each: len(each.times))
            (path,) = smoothed([chain_of([own], [(0, k) for k in range(len(own.times))])], GROUND, options)
            means, covariances, _ = states_at(path, times)
            off = means[:, :2] - (start + velocity * times[:, None])
            found += np.einsum("ni,nij,nj->n", off, np.linalg.inv(covariances[:, :2, :2]), off).tolist()
        squared[persist_s > 0] = float(np.median(found))
    assert squared[True] < 1.8  # measured 1.08; the median of a chi-squared of two coordinates is 1.39
    assert squared[False] > 2.5  # measured 3.56


@pytest.mark.parametrize("noise_px", [0.0, 2.0])
def test_what_is_hidden_is_placed_by_its_whole_box_as_surely_as_that_is(noise_px):
    """Everything below a car's windows is hidden; a detector that guesses the rest says how sure it is of each side."""
    _, start, velocity = CROSSING[3]
    times, off, claimed = np.arange(1.0, 4.5, 0.5), {True: [], False: []}, []
    for seed in range(4 if noise_px else 1):
        rng, frames = np.random.default_rng(seed), []
        sigma = np.array([[noise_px, noise_px, noise_px, 3 * noise_px, 1.0, 1.0]]) + 0.3
        for frame in detections(f for f in walk({3: CROSSING[3]}, 5.0) if f.camera == "south"):
            seen = frame.boxes.copy()
            seen[:, 3] -= 0.6 * (seen[:, 3] - seen[:, 1])
            boxes = frame.boxes + noise_px * rng.standard_normal((len(frame), 4)) * [1, 1, 1, 3]
            whole = WholeBoxes(boxes=boxes, sigma=np.repeat(sigma, len(frame), axis=0))
            frames.append(replace(frame, boxes=seen, whole=whole))
        for told in (True, False):
            run = tracker()
            for group in instants(frames if told else [replace(each, whole=None) for each in frames], 0.002):
                run.update(group)
            own = max(run.end(), key=lambda each: len(each.times))
            (path,) = smoothed([chain_of([own], [(0, k) for k in range(len(own.times))])], GROUND, TrackerOptions())
            means, covariances, _ = states_at(path, times)
            error = means[:, :2] - (start + velocity * times[:, None])
            off[told] += np.linalg.norm(error, axis=1).tolist()
            if told:
                inverse = np.linalg.inv(covariances[:, :2, :2])
                claimed += np.einsum("ni,nij,nj->n", error, inverse, error).tolist()
    assert np.percentile(off[True], 90) < (0.01 if noise_px == 0 else 0.3)  # measured 0.00004 and 0.19
    assert np.median(off[False]) > 2.0  # measured 5.3
    # Measured 0.84 with noise, where 1.39 is what it should be: shapes of real objects differ more than these.
    assert (0.4 if noise_px else 0.0) <= np.median(claimed) < 2.0


@pytest.mark.parametrize("noise_px", [0.0, 0.7])
def test_one_that_backs_out_of_a_stall_and_drives_on_is_followed_from_afar(noise_px):
    """From 40 m off its heading hardly shows: it goes by how vehicles roll, and may not keep it across the lane."""
    lens = camera_from_params("PINHOLE", 1280, 720, [900.0, 900.0, 640.0, 360.0])
    camera = FixedCamera.of("far", lens, looking((40.0, 1.0, 3.0), (0.0, 1.0, 0.5)), level="")
    step, heading, place, path = 0.2, np.pi / 2, np.array([0.0, 7.0]), []
    for k in range(80):
        time = k * step
        speed = -1.5 if time < 6 else 0.0 if time < 7 else 2.0
        bends = 2.0 <= time < 6 and heading > 0
        heading = max(heading - 1.5 * step / 3.5, 0.0) if bends else heading
        place = place + speed * step * np.array([np.cos(heading), np.sin(heading)])
        path.append((time, place, heading))
    options, late = TrackerOptions(box_px=max(noise_px, 0.3), box_share=0.0, visible_boxes=False), []
    for seed in range(5 if noise_px else 1):
        rng, run = np.random.default_rng(seed), GroundTracker([CameraModel.of(camera)], GROUND, options)
        for time, place, heading in path:
            box = box_of(camera, "car", place, heading) + noise_px * rng.standard_normal(4)
            run.update([Detections.of("far", time, [box], "car", 0.9)])
        own = max(run.end(), key=lambda each: len(each.times))
        (smooth,) = smoothed([chain_of([own], [(0, k) for k in range(len(own.times))])], GROUND, options)
        means, _, _ = states_at(smooth, np.array([time for time, *_ in path[35:-5]]))
        late += np.linalg.norm(means[:, :2] - [place for _, place, _ in path[35:-5]], axis=1).tolist()
    # Measured 0.13 and 0.14; with half the turn and a third of the slip 0.37 and 0.15.
    assert np.percentile(late, 90) < (0.25 if noise_px == 0 else 0.3)
