"""tiepoint check: is a twin whole, and how good is it."""

import json
from pathlib import Path

import click


@click.command("check")
@click.argument("twin", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--pictures",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to draw the plan into, over each floor seen from above.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a result for a program to read.")
def command(twin: Path, pictures: Path | None, as_json: bool) -> None:
    """Verify every checksum of a TWIN, open it, and say how good it is.

    Example: tiepoint check my-garage
    """
    from geometry import TwinDamagedError
    from twin.cli import echo_json
    from twin.floor_pictures import draw_floors
    from twin.model import UPDATE_FILE, Twin
    from twin.quality_remarks import remarks
    from twin.update_remarks import update_remarks

    opened = Twin.open(twin, verify=True)
    views = len(opened.view_poses)
    if views != len(opened.landmarks.views):
        raise TwinDamagedError(f"map has {views} images, landmarks {len(opened.landmarks.views)}", where=str(twin))
    quality = json.loads((twin / "quality.json").read_text("utf-8"))
    drawn = [] if pictures is None else draw_floors(opened, pictures)
    if as_json:
        echo_json({"sound": True, "manifest": opened.manifest.model_dump(), "quality": quality})
        return
    click.echo(f"{twin}: sound. {views} images, {len(opened.landmarks)} landmarks, format {opened.manifest.format}")
    frame = opened.manifest.frame
    click.echo(f"  frame: {', '.join(frame.aligned_by) or 'its own, unit arbitrary'}")
    for note in frame.undetermined:
        click.echo(f"  undetermined: {note}")
    if (twin / UPDATE_FILE).exists():
        for line in update_remarks(json.loads((twin / UPDATE_FILE).read_text("utf-8"))):
            click.echo(f"  {line}")
    for line in remarks(quality):
        click.echo(f"  {line}")
    for path in drawn:
        click.echo(f"  {path}")
