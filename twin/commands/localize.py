"""tiepoint localize: where photos were taken."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twin.commands.progress import StageBars

if TYPE_CHECKING:
    from twin import Localization

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("localize")
@click.argument("twin", type=FOLDER)
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--cameras", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="cameras.csv of the photos."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="localizations.jsonl to write; without it, lines are printed."
)
@click.option("--near", metavar="X,Y,Z,SIGMA", help="About where all photos were taken, site metres.")
@click.option("--level", help="On which level they were taken, by its id.")
@click.option(
    "--hints", type=FILE, help="poses.csv: about where each was taken, with sigma_m; a phone's poses for --sequence."
)
@click.option(
    "--sequence", is_flag=True, help="The photos are of one walk: of --hints only the steps between them count."
)
@click.option(
    "--rig", type=FILE, help="poses.csv: where the cameras of a rig are, by photo; they took the photos at once."
)
@click.option("--report", type=click.Path(path_type=Path), help="A page to look at: plan, poses, ellipses.")
def command(
    twin: Path,
    images: tuple[Path, ...],
    cameras: Path | None,
    out: Path | None,
    near: str | None,
    level: str | None,
    hints: Path | None,
    sequence: bool,
    rig: Path | None,
    report: Path | None,
) -> None:
    """Localize photos, given as files or folders, in a TWIN.

    A photo in a folder is named by its path in the folder, a single file by its file name.

    Example: tiepoint localize my-garage query.jpg --out localizations.jsonl
    """
    from geometry import read_cameras, read_poses
    from twin import Twin, localize_images, write_localizations, write_report
    from twin.hints import hints_of_poses, hints_of_words
    from twin.queries import localize_together, name_images
    from twin.sequences import steps_of_poses

    if sequence and (hints is None or rig is not None):
        raise click.UsageError("--sequence needs --hints with the poses of the walk, and no --rig.")
    together = rig if rig is not None else hints if sequence else None
    if (together is not None or hints is not None) and (near or level):
        raise click.UsageError("--near and --level are for photos by themselves, without --hints.")

    bars = StageBars()
    named = name_images(images)
    rules = read_cameras(cameras) if cameras else ()
    opened, answers = Twin.open(twin), []
    try:
        if together is not None:
            steps = steps_of_poses(read_poses(together), [name for name, _ in named], drift=0.0 if rig else 1.0)
            found: Iterable[Localization] = localize_together(opened, named, steps, rules)
        else:
            known = hints_of_words([name for name, _ in named], near, level)
            known |= {} if hints is None else hints_of_poses(read_poses(hints))
            found = localize_images(opened, named, rules, hints=known)
        for answer in found:
            answers.append(answer)
            bars("localize", len(answers), len(named))
            if out is None:
                click.echo(answer.model_dump_json())
    finally:
        bars.close()
    if report is not None:
        write_report(report, opened, answers, images=dict(named))
    if out is not None:
        write_localizations(out, answers)
        placed = sum(answer.status == "ok" for answer in answers)
        click.echo(f"{out}: {placed} of {len(answers)} photos localized, {len(answers) - placed} refused")
