"""A camera that is well stays silent whatever passes before it; one that is not is accused within three frames."""

from pathlib import Path

import cv2
import numpy as np
import pycolmap
import pytest
from click.testing import CliRunner, Result

from geometry import DegenerateError, FixedCamera, InputError, perturb, write_cameras_json
from perception.camera_condition import condition, detail, is_frozen
from tests.twin.calibration.panorama import CAMERA, WALL_M, picture, wall
from twin.calibration.health import HealthMonitor, check
from twin.calibration.watch import Watch, motion, watch
from twin.cli import tiepoint

STILL = pycolmap.Rigid3d()
DEPTH = np.full((CAMERA.height, CAMERA.width), WALL_M)
TEXTURE = wall()


@pytest.fixture(scope="module")
def state() -> Watch:
    rng = np.random.default_rng(1)
    frames = [picture(TEXTURE, STILL, rng, gain=rng.uniform(0.7, 1.2), visitors=3) for _ in range(6)]
    return watch(CAMERA, STILL, frames, DEPTH)


def test_visitors_and_light_are_no_move(state: Watch) -> None:
    rng = np.random.default_rng(2)
    frames = [picture(TEXTURE, STILL, rng, gain=rng.uniform(0.5, 1.3), visitors=4) for _ in range(40)]
    assert check(state, frames, [float(t) for t in range(40)]) == []
    assert motion(state, frames[0]).moved_px < 0.1  # measured 0.006


@pytest.mark.parametrize(
    "xi",
    [
        [0, np.radians(0.5), 0, 0, 0, 0],
        [np.radians(-0.5), 0, 0, 0, 0, 0],
        [0, 0, np.radians(0.8), 0, 0, 0],
        [0, 0, 0, 0.03, 0, 0],
        [0, 0, 0, 0, -0.04, 0],
        [0, np.radians(3.0), 0, 0.05, 0, 0],
    ],
)
def test_moves_are_found_and_measured(state: Watch, xi: list[float]) -> None:
    rng = np.random.default_rng(3)
    moved = perturb(STILL, xi)
    frames = [picture(TEXTURE, STILL, rng, visitors=2) for _ in range(3)]
    frames += [picture(TEXTURE, moved, rng, gain=rng.uniform(0.7, 1.2), visitors=3) for _ in range(3)]
    events = [event for event in check(state, frames, [float(t) for t in range(6)]) if event.kind == "moved"]
    assert len(events) == 1
    assert events[0].since == 3.0
    found = events[0].motion
    assert found is not None
    # A turn and a shift that look alike on one wall are one to the picture: what it shows is compared.
    points = np.array([[x, y, WALL_M] for x in (-2.0, 0.0, 2.0) for y in (-1.5, 1.5)])
    expected, got = (CAMERA.img_from_cam(pose * points) for pose in (moved, found.cam_from_site))
    assert np.abs(expected - got).max() < 0.6  # measured 0.011


def test_a_single_frame_accuses_nobody(state: Watch) -> None:
    rng = np.random.default_rng(4)
    gust = perturb(STILL, [0, np.radians(1.0), 0, 0, 0, 0])
    frames = [picture(TEXTURE, gust if t % 4 == 3 else STILL, rng) for t in range(12)]
    assert check(state, frames, [float(t) for t in range(12)]) == []


def test_faults_of_the_picture_have_names(state: Watch) -> None:
    rng = np.random.default_rng(5)
    well = [picture(TEXTURE, STILL, rng) for _ in range(4)]
    blurred = [cv2.GaussianBlur(frame, (0, 0), 4.0) + rng.integers(0, 4, frame.shape, np.uint8) for frame in well]
    smeared = [frame.copy() for frame in well]
    for frame in smeared:
        frame[:120, :150] = cv2.GaussianBlur(frame, (0, 0), 9.0)[:120, :150]
    covered = [rng.normal(60, 2.0, frame.shape).clip(0, 255).astype(np.uint8) for frame in well]
    dark = [rng.normal(1.5, 1.0, frame.shape).clip(0, 255).astype(np.uint8) for frame in well]
    for frames, kind in ((blurred, "defocused"), (smeared, "dirty"), (covered, "covered"), (dark, "dark")):
        events = check(state, frames, [0.0, 1.0, 2.0, 3.0])
        assert kind in {event.kind for event in events}, (kind, events)
        assert "moved" not in {event.kind for event in events}
    assert {event.kind for event in check(state, [well[0]] * 4, [0.0, 1.0, 2.0, 3.0])} == {"frozen"}


def test_a_trouble_is_told_once_and_again_when_it_returns(state: Watch) -> None:
    rng = np.random.default_rng(6)
    monitor, kinds = HealthMonitor(state), []
    for time in range(14):
        gone = time in (2, 3, 4, 5, 10, 11)
        frame = rng.normal(60, 2.0, (240, 320, 3)).clip(0, 255).astype(np.uint8)
        kinds += [e.kind for e in monitor.see(frame if gone else picture(TEXTURE, STILL, rng), float(time))]
    assert kinds == ["covered", "covered"]


def test_a_clock_that_jumps_is_told(state: Watch) -> None:
    rng, monitor = np.random.default_rng(7), HealthMonitor(state)
    said = []
    for step in range(6):
        clock = 100.0 + step - (30.0 if step >= 3 else 0.0)
        said += monitor.see(picture(TEXTURE, STILL, rng), clock, received=100.2 + step)
    assert [(event.kind, event.time) for event in said] == [("clock", 73.0)]
    assert "-30.0 s" in said[0].what


def test_nothing_to_hold_on_to_is_refused(state: Watch) -> None:
    flat = np.full((240, 320, 3), 90, np.uint8)
    with pytest.raises(DegenerateError, match="hold on"):
        watch(CAMERA, STILL, [flat], DEPTH)
    with pytest.raises(InputError, match="size"):
        watch(CAMERA, STILL, [flat[:100]], DEPTH)
    with pytest.raises(InputError, match="size"):
        watch(CAMERA, STILL, [], DEPTH)
    with pytest.raises(DegenerateError):
        motion(state, flat)


def test_measures_of_a_picture() -> None:
    rng = np.random.default_rng(8)
    gray = picture(TEXTURE, STILL, rng)[..., 0]
    good = detail(gray)
    assert condition(picture(TEXTURE, STILL, rng, gain=0.4)[..., 0], good).fault is None
    assert condition(gray, good).fineness == pytest.approx(1.0)
    assert is_frozen(gray, gray.copy())
    assert not is_frozen(gray, picture(TEXTURE, STILL, rng)[..., 0])
    assert not is_frozen(gray, gray[:100])
    with pytest.raises(InputError, match="too small"):
        detail(gray[:20, :20])


def test_the_command_tells_a_moved_camera_from_a_well_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    write_cameras_json(tmp_path / "cameras.json", [FixedCamera.of("cam1", CAMERA, STILL, level="P1")])
    moved = perturb(STILL, [0, np.radians(1.0), 0, 0, 0, 0])
    for folder, poses in (("good", [STILL] * 5), ("well", [STILL] * 4), ("bumped", [STILL, *[moved] * 3])):
        (tmp_path / folder).mkdir()
        for number, pose in enumerate(poses):
            frame = picture(TEXTURE, pose, rng, gain=rng.uniform(0.7, 1.2), visitors=2)
            assert cv2.imwrite(str(tmp_path / folder / f"{number:03d}.png"), frame[:, :, ::-1])

    cameras = str(tmp_path / "cameras.json")

    def health(frames: str) -> Result:
        paths = ["--reference", str(tmp_path / "good"), "--frames", str(tmp_path / frames)]
        return CliRunner().invoke(tiepoint, ["cameras", "health", cameras, "--camera", "cam1", *paths])

    well, bumped = health("well"), health("bumped")
    assert (well.exit_code, well.output) == (0, "cam1: 4 frames, all is well\n")
    assert bumped.exit_code == 1
    assert "moved since frame 1: moved by 1.0" in bumped.output
