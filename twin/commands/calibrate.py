"""tiepoint calibrate: a fixed camera's pose, and lens, from its own pictures."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from geometry import FixedCamera
    from geometry.camera_fit import Seen
    from twin.calibration.answer import CameraCalibration

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
MAX_FRAMES = 200


@click.command("calibrate")
@click.argument("twin", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("images", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--camera", "id", required=True, help="Id of the camera, in cameras.json.")
@click.option(
    "--cameras", type=FILE, help="cameras.json with the camera as installed, or cameras.csv with its lens alone."
)
@click.option("--lens", help="Kinds to try where the lens is unknown: pinhole, radial, opencv, fisheye; with commas.")
@click.option("--refine-lens", is_flag=True, help="Adjust the lens of --cameras too.")
@click.option("--near", is_flag=True, help="Start from the pose in --cameras as well.")
@click.option("--control", type=FILE, help="control.csv: points of known place, with --marks.")
@click.option("--marks", type=FILE, help="marks.csv: where they were clicked; its image is the camera's id.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="cameras.json to write or to add to.")
@click.option("--since", type=float, help="From when on it holds, epoch seconds; now by default.")
@click.option("--json", "as_json", is_flag=True, help="Print a result for a program to read.")
def command(
    twin: Path,
    images: tuple[Path, ...],
    id: str,
    cameras: Path | None,
    lens: str | None,
    refine_lens: bool,
    near: bool,
    control: Path | None,
    marks: Path | None,
    out: Path | None,
    since: float | None,
    as_json: bool,
) -> None:
    """Calibrate a fixed camera in a TWIN from one or many of its IMAGES, files or folders.

    Many frames, day and night, are better than one: what stands still in most of them counts.

    Example: tiepoint calibrate my-garage --camera cam3 frames/cam3 --out cameras.json
    """
    import time

    from geometry import write_cameras_json
    from perception import read_image
    from twin import Twin
    from twin.calibration.calibrate import Calibrator
    from twin.calibration.history import merged, read_if_there, with_calibration
    from twin.calibration.lenses import UNKNOWN
    from twin.cli import echo_json
    from twin.queries import name_images

    if (control is None) != (marks is None):
        raise click.UsageError("--control and --marks belong together.")
    known, rule = _camera_of(cameras, id)
    if near and known is None:
        raise click.UsageError("--near needs a cameras.json with this camera.")
    files = [path for _, path in name_images(images)]
    if not files:
        raise click.UsageError("There are no images in the folder.")
    step = -(-len(files) // MAX_FRAMES)
    frames = [read_image(path).pixels for path in files[::step]]
    answer = Calibrator(Twin.open(twin)).calibrate(
        id,
        frames,
        rule,
        refine_lens=refine_lens,
        lenses=tuple(lens.split(",")) if lens else UNKNOWN,
        prior=known.pose() if known is not None and near else None,
        points=_clicked(id, control, marks),
    )
    now = time.time()
    if out is not None and answer.status == "ok":
        there = read_if_there(out)
        before = next((camera for camera in there if camera.id == id), known)
        changed = with_calibration(before, answer, since=now if since is None else since, calibrated=now)
        write_cameras_json(out, merged(there, [changed]))
    if as_json:
        echo_json(answer.content())
    else:
        _say(answer)
    if answer.status != "ok":
        raise SystemExit(1)


def _camera_of(path: Path | None, id: str) -> "tuple[FixedCamera | None, object]":
    """Return the camera of cameras.json, if that was given, and the lens; None for what is not known."""
    from geometry import camera_for, read_cameras, read_cameras_json

    if path is None:
        return None, None
    if path.suffix == ".json":
        found = next((camera for camera in read_cameras_json(path) if camera.id == id), None)
        if found is None:
            raise click.UsageError(f"There is no camera '{id}' in {path}.")
        return found, found.camera()
    lens = camera_for(id, read_cameras(path))
    if lens is None:
        raise click.UsageError(f"No line of {path} matches '{id}'.")
    return None, lens


def _clicked(id: str, control: Path | None, marks: Path | None) -> "Seen | None":
    import numpy as np

    from geometry import InputError, read_control, read_marks
    from twin.calibration.by_points import clicked

    if control is None or marks is None:
        return None
    points, clicks = read_control(control), read_marks(marks)
    row_of = {name: row for row, name in enumerate(points.names)}
    mine = [row for row, image in enumerate(clicks.images) if image in (id, f"{id}.jpg")]
    unknown = [clicks.names[row] for row in mine if clicks.names[row] not in row_of]
    if unknown:
        raise InputError(f"'{unknown[0]}' is not in {control}", where=str(marks))
    rows = [row_of[clicks.names[row]] for row in mine]
    sigma = float(np.median(points.sigma_m[rows])) if rows else 0.05
    return clicked(clicks.pixels[mine], points.positions[rows], sigma_m=sigma)


def _say(answer: "CameraCalibration") -> None:
    content = answer.content()
    if answer.status != "ok":
        click.echo(f"{answer.id}: not calibrated: {answer.reason}")
    else:
        x, y, z = content["position"]
        click.echo(
            f"{answer.id}: x {x:.3f} y {y:.3f} z {z:.3f} m, sigma {content['position_sigma_m'] * 100:.1f} cm and "
            f"{content['rotation_sigma_deg']:.3f} deg, by {answer.method}"
        )
        params = " ".join(f"{value:.4g}" for value in content["params"])
        sigma = answer.focal_sigma_px
        click.echo(
            f"  lens {content['model']} {params}" + (f" (focal sigma {sigma:.1f} px)" if sigma else ", as given")
        )
    for kind, count in answer.evidence.items():
        if count.looked_for:
            shown = "" if count.residual_px is None else f", residual {count.residual_px:.2f} px"
            click.echo(f"  {kind}: {count.agree} of {count.looked_for} agree{shown}")
    click.echo(f"  evidence in {answer.coverage:.0%} of the picture, {answer.frames} frames, {answer.seconds:.0f} s")
    for remark in answer.limits:
        click.echo(f"  limits: {remark}")
