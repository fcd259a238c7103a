"""Cameras in a rendered room, calibrated by the command as a user would, with their lens and without."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from geometry import (
    pose_error,
    pose_from_position,
    read_cameras,
    read_cameras_json,
    read_true_poses,
    write_cameras_json,
)
from geometry.records import FixedCamera
from perception import read_image
from tests.conftest import Rendered
from twin import Twin
from twin.calibration.calibrate import Calibrator
from twin.cli import tiepoint


@pytest.fixture(scope="module")
def calibrator(small_twin: Path) -> Calibrator:
    return Calibrator(Twin.open(small_twin))


def test_the_command_calibrates_and_keeps_history(rendered: Rendered, small_twin: Path, tmp_path: Path) -> None:
    truth = read_true_poses(rendered.folder / "truth" / "queries.csv")
    image = rendered.queries / truth.images[0]
    out = tmp_path / "cameras.json"
    arguments = ["calibrate", str(small_twin), str(image), "--camera", truth.images[0]]
    arguments += ["--cameras", str(rendered.cameras), "--out", str(out), "--json"]
    done = CliRunner().invoke(tiepoint, [*arguments, "--since", "100"])
    assert done.exit_code == 0, done.output
    content = json.loads(done.output)
    camera = read_cameras_json(out)[0]
    metres, degrees = pose_error(camera.pose(), pose_from_position(truth.positions[0], truth.quats_xyzw[0]))
    assert metres < 0.04
    assert degrees < 0.3
    assert metres < 4.0 * content["position_sigma_m"]
    assert content["evidence"]["landmarks"]["agree"] > 30
    again = CliRunner().invoke(tiepoint, [*arguments, "--since", "200"])
    assert again.exit_code == 0
    assert [entry["since"] for entry in read_cameras_json(out)[0].history] == [100.0, 200.0]


def test_an_unknown_lens_is_found(rendered: Rendered, calibrator: Calibrator) -> None:
    truth = read_true_poses(rendered.folder / "truth" / "queries.csv")
    found = []
    for image in truth.images:
        frame = read_image(rendered.queries / image).pixels
        answer = calibrator.calibrate("x", [frame], lenses=("radial",))
        if answer.camera is not None:
            found.append(answer.camera.params[0])
            assert answer.focal_sigma_px is not None
    assert found
    # Measured 275 to 303 px, 300 in the median: this twin has no surface, and single photos are off by 8 %.
    assert np.median(found) == pytest.approx(300.0, rel=0.05)


def test_what_shows_nothing_of_the_place_is_refused(calibrator: Calibrator) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (360, 480, 3)).astype(np.uint8)
    answer = calibrator.calibrate("x", [noise], lenses=("pinhole",))
    assert answer.status == "refused"
    assert answer.cam_from_site is None
    assert "position" not in answer.content()


def test_wrong_commands_say_so(rendered: Rendered, small_twin: Path, tmp_path: Path) -> None:
    image = str(next(rendered.queries.glob("*.jpg")))
    lens = FixedCamera.of(
        "a", Twin.open(small_twin).reconstruction.cameras[1], pose_from_position([0, 0, 1], [0, 0, 0, 1]), level=""
    )
    write_cameras_json(tmp_path / "c.json", [lens])
    start = ["calibrate", str(small_twin), image, "--camera", "b"]
    for more, words in (
        (["--cameras", str(tmp_path / "c.json")], "no camera 'b'"),
        (["--near"], "--near needs"),
        (["--control", image], "belong together"),
    ):
        done = CliRunner().invoke(tiepoint, [*start, *more])
        assert done.exit_code == 2, done.output
        assert words in done.output


def test_without_a_surface_what_the_localizer_refuses_is_refused_too(
    rendered: Rendered, calibrator: Calibrator
) -> None:
    """Every answer is right: a picture of which only a look-alike is in the map must not come out sure."""
    truth = read_true_poses(rendered.folder / "truth" / "queries.csv")
    lens = read_cameras(rendered.cameras)[0].camera
    refused = 0
    for row, name in enumerate(truth.images):
        answer = calibrator.calibrate("x", [read_image(rendered.queries / name).pixels], lens)
        if answer.cam_from_site is None:
            refused += 1
            continue
        metres, _ = pose_error(answer.cam_from_site, pose_from_position(truth.positions[row], truth.quats_xyzw[row]))
        assert metres < 0.1  # 0.035 measured
    assert refused <= 2  # 1 measured
