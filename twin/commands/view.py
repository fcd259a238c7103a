"""tiepoint view: look at a twin in three dimensions."""

from pathlib import Path

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
LAYERS = ("surface", "landmarks", "walk", "cameras", "plan", "tracks", "photos")
COLOURS = ("photo", "level", "use", "age")


@click.command("view")
@click.argument("twin", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--save", type=click.Path(dir_okay=False, path_type=Path), help="A picture instead of a window; no display needed."
)
@click.option("--tracks", type=FILE, help="tracks.jsonl to draw.")
@click.option("--photo", "photos", type=FILE, multiple=True, help="A photo to localize and draw; can be repeated.")
@click.option("--cameras", type=FILE, help="cameras.csv of the photos.")
@click.option("--camera", help="Look through this fixed camera.")
@click.option("--level", help="Show this level alone, by its id.")
@click.option("--colours", default="photo", show_default=True, type=click.Choice(COLOURS), help="Of landmarks.")
@click.option("--hide", multiple=True, type=click.Choice(LAYERS), help="Leave a layer out; can be repeated.")
@click.option("--size", default="1280x960", show_default=True, help="WIDTHxHEIGHT in pixels.")
def command(
    twin: Path,
    save: Path | None,
    tracks: Path | None,
    photos: tuple[Path, ...],
    cameras: Path | None,
    camera: str | None,
    level: str | None,
    colours: str,
    hide: tuple[str, ...],
    size: str,
) -> None:
    """Look at a TWIN in a window, or save a picture of it.

    Example: tiepoint view my-garage --save my-garage.png --hide walk
    """
    from twin.viewer.looking import look

    try:
        width, height = map(int, size.lower().split("x"))
    except ValueError:
        raise click.UsageError("--size is WIDTHxHEIGHT, such as 1280x960.") from None
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise click.UsageError("--size is 16 to 8192 pixels each way.")
    told = look(
        twin,
        save=save,
        tracks=tracks,
        photos=photos,
        cameras=cameras,
        camera=camera,
        level=level,
        mode=colours,
        hidden=hide,
        size=(width, height),
    )
    click.echo(told)
