"""tiepoint localize: where photos were taken."""

from pathlib import Path

import click

from twin.commands.progress import StageBars

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("localize")
@click.argument("twin", type=FOLDER)
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--cameras", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="cameras.csv of the photos."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="localizations.jsonl to write; without it, lines are printed."
)
@click.option("--report", type=click.Path(path_type=Path), help="A page to look at: plan, poses, ellipses.")
def command(twin: Path, images: tuple[Path, ...], cameras: Path | None, out: Path | None, report: Path | None) -> None:
    """Localize photos, given as files or folders, in a TWIN.

    A photo in a folder is named by its path in the folder, a single file by its file name.

    Example: tiepoint localize my-garage query.jpg --out localizations.jsonl
    """
    from geometry import read_cameras
    from twin import Twin, localize_images, write_localizations, write_report
    from twin.queries import name_images

    bars = StageBars()
    named = name_images(images)
    rules = read_cameras(cameras) if cameras else ()
    opened, answers = Twin.open(twin), []
    try:
        for answer in localize_images(opened, named, rules):
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
        found = sum(answer.status == "ok" for answer in answers)
        click.echo(f"{out}: {found} of {len(answers)} photos localized, {len(answers) - found} refused")
