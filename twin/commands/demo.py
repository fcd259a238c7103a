"""tiepoint demo: a whole small facility, end to end, with a report to look at."""

from pathlib import Path
from typing import Any

import click

from twin.commands.progress import StageBars


@click.command("demo")
@click.option(
    "--out", default="tiepoint-demo", show_default=True, type=click.Path(path_type=Path), help="Folder to write."
)
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0), help="Draws another court and other photos."
)
@click.option("--json", "as_json", is_flag=True, help="Print all figures for a program to read.")
def command(out: Path, seed: int, as_json: bool) -> None:
    """Render a small place, map it, localize photos in it, and write a report.html to look at.

    Takes a few minutes. A rerun replaces what an earlier demo left in --out.

    Example: tiepoint demo --out tiepoint-demo
    """
    from twin.cli import echo_json
    from twin.demo import DemoOptions, run_demo

    bars = StageBars()
    try:
        figures = run_demo(out, DemoOptions(seed=seed), bars)
    finally:
        bars.close()
    if as_json:
        echo_json(figures)
        return
    for line in _lines(figures):
        click.echo(line)
    click.echo(f"look at {out / 'report.html'}")


def _lines(figures: dict[str, Any]) -> list[str]:
    foreign, position = figures["foreign"], figures["position_error_m"]
    lines = [f"{figures['localized']} of {figures['queries']} photos localized"]
    if position:
        degrees = figures["rotation_error_deg"]["median"]
        lines[0] += f", median error {position['median'] * 1000:.1f} mm and {degrees:.3f} deg"
        inside = figures["covariance"]["position"]["coverage"]["0.9"]
        lines.append(f"{inside:.0%} of true positions inside the claimed 90 % ellipsoid")
    if figures["wrong_but_confident"]:
        lines.append(f"WRONG but confident: {figures['wrong_but_confident']}, marked in the report")
    lines.append(f"{foreign['refused']} of {foreign['photos']} photos of other places refused")
    return lines
