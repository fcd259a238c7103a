"""tiepoint scene: facilities with known truth, listed, drawn and rendered."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twin.commands.progress import StageBars

if TYPE_CHECKING:
    from scenes.facility import Facility

SIZE = click.option("--size", default=1.0, show_default=True, help="Enlarges a facility of the library, 1 to 20.")
BUILDING = click.option(
    "--building",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Of a facility of the library, another one: the same plan, other surfaces.",
)
CAPTURES = "walk,queries,fixed"


@click.group("scene")
def command() -> None:
    """Facilities with known truth: those of the library by NAME, your own by a YAML FILE.

    Example: tiepoint scene render garage --out garage-scene
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a result for a program to read.")
def list_scenes(as_json: bool) -> None:
    """List the facilities of the library.

    Example: tiepoint scene list
    """
    from scenes.library import SCENES, facility
    from twin.cli import echo_json

    rows = [_figures(facility(name)) for name in SCENES]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        counts = ", ".join(f"{count} {what}" for what, count in row.items() if what != "name")
        click.echo(f"{row['name']:<14} {counts}")


@command.command("show")
@click.argument("scene", metavar="NAME|FILE")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="PNG to write; NAME.png by default.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Draws another day.")
@SIZE
@BUILDING
def show(scene: str, out: Path | None, seed: int, size: float, building: int) -> None:
    """Draw the plan of a facility above a sheet of pictures of it.

    Example: tiepoint scene show garage --out garage.png
    """
    from scenes.captures import overview
    from scenes.captures.pictures_on_disk import write_png

    facility = _facility(scene, size, building)
    bars = StageBars()
    try:
        picture = overview(facility, seed, lambda done, total: bars("pictures", done, total))
    finally:
        bars.close()
    path = out or Path(f"{facility.name}.png")
    write_png(path, picture)
    click.echo(f"{path}: the plan of {facility.name}, and pictures of it")


@command.command("render")
@click.argument("scene", metavar="NAME|FILE")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write.")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Draws another day and walk in the same building.",
)
@click.option("--captures", default=CAPTURES, show_default=True, help="What to capture, separated by commas.")
@click.option("--queries", default=60, show_default=True, type=click.IntRange(0), help="How many photos.")
@click.option("--seconds", default=20.0, show_default=True, help="How long fixed cameras record.")
@click.option("--fps", default=5.0, show_default=True, help="Their frames a second.")
@click.option("--quality", default="full", show_default=True, type=click.Choice(["draft", "full"]))
@click.option("--walk-frames", type=click.IntRange(2), help="At most this many pictures of the walk; all by default.")
@SIZE
@BUILDING
def render(scene: str, out: Path, size: float, building: int, captures: str, **chosen: Any) -> None:
    """Render a facility: a walk, photos to localize, fixed cameras with traffic, and the truth of it all.

    A run that was stopped goes on where it was when it is started again.

    Example: tiepoint scene render garage --out garage-scene --captures walk,queries
    """
    from scenes.captures import CAPTURES as KNOWN
    from scenes.captures import CaptureOptions, render_scene

    words = [word.strip() for word in captures.split(",")]
    if not set(words) <= set(KNOWN):
        raise click.BadParameter(f"'{captures}' is not of {', '.join(KNOWN)}.", param_hint="--captures")
    bars = StageBars()
    try:
        options = CaptureOptions(captures=tuple(word for word in KNOWN if word in words), **chosen)
        render_scene(_facility(scene, size, building), out, options, bars)
    finally:
        bars.close()
    click.echo(f"{out}: {', '.join(words)} rendered")


def _facility(scene: str, size: float, building: int) -> "Facility":
    """Return a facility of the library, or the one in a file; a name is a file's if it looks like one."""
    from geometry.errors import nearest_known
    from scenes.description import read_facility
    from scenes.library import SCENES, facility

    if scene.endswith((".yaml", ".yml")) or Path(scene).is_file():
        return read_facility(scene)
    if scene not in SCENES:
        raise click.UsageError(f"There is no scene '{scene}', and no file. {nearest_known(scene, SCENES)}")
    return facility(scene, size=size, seed=building)


def _figures(facility: "Facility") -> dict[str, Any]:
    return {
        "name": facility.name,
        "levels": len(facility.levels),
        "stalls": sum(row.count for row in facility.rows),
        "cameras": len(facility.cameras),
        "tags": len(facility.tags),
        "signs": len(facility.signs),
    }
