"""tiepoint cameras: what fixed cameras cover, whether they are well, and their calibrations in other formats."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from geometry import FloorPlan

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FORMAT_NAMES = ("nvidia", "opencv", "krtd", "colmap")


@click.group("cameras")
def command() -> None:
    """Coverage, health, common adjustment, import and export of fixed cameras.

    Example: tiepoint cameras coverage my-garage --cameras cameras.json --picture coverage.svg
    """


@command.command("coverage")
@click.argument("place", metavar="TWIN|PLAN", type=click.Path(exists=True, path_type=Path))
@click.option("--cameras", required=True, type=FILE, help="cameras.json: mounted ones, or a layout to try.")
@click.option("--cell", default=0.5, show_default=True, type=click.FloatRange(0.05, 10), help="Side of a cell, metres.")
@click.option("--min-px", default=5.0, show_default=True, help="Pixels a metre below which floor counts as unseen.")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="SVG of the plan to write.")
@click.option("--json", "as_json", is_flag=True, help="Print a result for a program to read.")
def coverage_command(
    place: Path, cameras: Path, cell: float, min_px: float, picture: Path | None, as_json: bool
) -> None:
    """Tell what cameras cover of a TWIN with a plan, or of a plan.json alone, before anything is mounted.

    Example: tiepoint cameras coverage plan.json --cameras layout.json --picture layout.svg
    """
    from geometry import read_cameras_json
    from twin.calibration.coverage import coverage
    from twin.calibration.coverage_picture import save_coverage
    from twin.cli import echo_json

    found = coverage(_plan_of(place), read_cameras_json(cameras), cell_m=cell, min_px_per_m=min_px)
    if picture is not None:
        save_coverage(picture, found)
    if as_json:
        echo_json({"cameras": found.rows(), "levels": found.levels()})
        return
    click.echo(f"{'camera':<12} {'level':<8} {'area m2':>8} {'alone':>8} {'reach m':>8} {'px/m':>6}  overlaps m2")
    for row in found.rows():
        others = ", ".join(f"{id} {area:g}" for id, area in row["overlaps_m2"].items()) or "none"
        click.echo(
            f"{row['camera']:<12} {row['level']:<8} {row['area_m2']:>8g} {row['alone_m2']:>8g} {row['reach_m']:>8g} "
            f"{row['px_per_m']:>6g}  {others}"
        )
    for row in found.levels():
        blind = row["blind_stalls"]
        named = f"; stalls nobody sees: {len(blind)}" + (
            f" ({', '.join(blind[:6])}{', ...' if len(blind) > 6 else ''})" if blind else ""
        )
        click.echo(f"level {row['level']}: {row['seen']:.0%} seen, {row['seen_twice']:.0%} by two or more{named}")


def _plan_of(place: Path) -> "FloorPlan":
    from geometry import InputError, read_plan
    from twin import Twin

    if place.is_file():
        return read_plan(place)
    plan = Twin.open(place).plan
    if plan is None:
        raise InputError("the twin has no plan", where=str(place), remedy="Give a plan.json, or map with --plan.")
    return plan


@command.command("health")
@click.argument("cameras", type=FILE)
@click.option("--camera", "id", required=True, help="Id of the camera.")
@click.option(
    "--reference", required=True, type=click.Path(exists=True, path_type=Path), help="Frames when it was well."
)
@click.option(
    "--frames", required=True, type=click.Path(exists=True, path_type=Path), help="Frames to judge, in order."
)
@click.option(
    "--twin", type=click.Path(exists=True, file_okay=False, path_type=Path), help="For depths, and a proposal."
)
@click.option("--json", "as_json", is_flag=True, help="Print a result for a program to read.")
def health_command(cameras: Path, id: str, reference: Path, frames: Path, twin: Path | None, as_json: bool) -> None:
    """Judge the FRAMES of a camera against those from when its calibration in CAMERAS held.

    Exit 1 where something is wrong with it.

    Example: tiepoint cameras health cameras.json --camera cam3 --reference good/ --frames today/ --twin my-garage
    """
    from geometry import InputError, read_cameras_json
    from twin.calibration.proposal import examine
    from twin.cli import echo_json

    fixed = next((camera for camera in read_cameras_json(cameras) if camera.id == id), None)
    if fixed is None:
        raise InputError(f"there is no camera '{id}'", where=str(cameras))
    result = examine(fixed, reference, frames, twin)
    if as_json:
        echo_json(result)
    else:
        for event in result["events"]:
            click.echo(f"{id}: {event['kind']} since frame {event['since']}: {event['what']}")
        proposal = result["proposal"]
        if proposal is not None:
            click.echo(f"  proposed: {proposal['what']}")
        if not result["events"]:
            click.echo(f"{id}: {result['frames']} frames, all is well")
    if result["events"]:
        raise SystemExit(1)


@command.command("adjust")
@click.argument("cameras", type=FILE)
@click.option("--tracks", required=True, type=FILE, help="tracks.jsonl of `tiepoint track`, with people in it.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="cameras.json to write.")
@click.option("--free-map", type=click.FloatRange(0, 10, min_open=True), help="Sigma of the map as a whole, metres.")
@click.option("--since", type=float, help="From when on it holds, epoch seconds; now by default.")
def adjust_command(cameras: Path, tracks: Path, out: Path, free_map: float | None, since: float | None) -> None:
    """Adjust all CAMERAS together by people that several of them saw, each held by its own calibration.

    Example: tiepoint cameras adjust cameras.json --tracks tracks.jsonl --out cameras.json
    """
    import time

    from geometry import pose_error, read_cameras_json, write_cameras_json
    from geometry.track_records import read_tracks
    from twin.calibration.together import adjust_together

    before, now = read_cameras_json(cameras), time.time()
    found = adjust_together(
        before, read_tracks(tracks), since=now if since is None else since, calibrated=now, free_map_m=free_map
    )
    write_cameras_json(out, found.cameras)
    was, now_off = found.network.disagreement_m
    click.echo(f"{found.feet} feet seen by two cameras or more; apart by {was:.3f} m before, {now_off:.3f} m now")
    for old, new in zip(before, found.cameras, strict=True):
        metres, degrees = pose_error(new.pose(), old.pose())
        click.echo(f"{new.id}: moved by {metres * 100:.1f} cm and {degrees:.2f} deg")


@command.command("import")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--format", "name", required=True, type=click.Choice(FORMAT_NAMES))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="cameras.json to write.")
@click.option("--size", help="WIDTHxHEIGHT of pictures, where the format does not say.")
@click.option("--level", default="", help="Level of all cameras.")
def import_command(source: Path, name: str, out: Path, size: str | None, level: str) -> None:
    """Read calibrations of another tool into a cameras.json.

    Example: tiepoint cameras import calibration.json --format nvidia --out cameras.json
    """
    from geometry import write_cameras_json
    from geometry.camera_formats import FORMATS, ImportOptions

    cameras = FORMATS[name].read(source, ImportOptions(size=_size(size), level=level))
    write_cameras_json(out, cameras)
    click.echo(f"{out}: {len(cameras)} cameras")


@command.command("export")
@click.argument("cameras", type=FILE)
@click.option("--format", "name", required=True, type=click.Choice(FORMAT_NAMES))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File, or folder, to write.")
def export_command(cameras: Path, name: str, out: Path) -> None:
    """Write the cameras of a cameras.json as another tool reads them.

    Example: tiepoint cameras export cameras.json --format opencv --out calibrations/
    """
    from geometry import read_cameras_json
    from geometry.camera_formats import FORMATS

    found = read_cameras_json(cameras)
    FORMATS[name].write(out, found)
    click.echo(f"{out}: {len(found)} cameras; {name} does not keep {FORMATS[name].loses}")


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise click.BadParameter(f"'{text}' is not WIDTHxHEIGHT, such as 1920x1080.", param_hint="--size")
    return int(width), int(height)
