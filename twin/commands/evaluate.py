"""tiepoint evaluate: results against truth."""

from pathlib import Path
from typing import Any

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("evaluate")
def command() -> None:
    """Judge a result file by its truth."""


@command.command("localization")
@click.argument("result", type=FILE)
@click.argument("truth", type=FILE)
@click.option(
    "--truth-sigma", default=0.0, metavar="M", help="Standard deviation of the truth itself, metres a coordinate."
)
@click.option("--json", "as_json", is_flag=True, help="Print all figures for a program to read.")
def localization(result: Path, truth: Path, truth_sigma: float, as_json: bool) -> None:
    """Judge localizations.jsonl by a poses.csv of true poses.

    Example: tiepoint evaluate localization localizations.jsonl truth/queries.csv
    """
    from twin import evaluate_localization
    from twin.cli import echo_json

    figures = evaluate_localization(result, truth, truth_sigma_m=truth_sigma)
    if as_json:
        echo_json(figures)
        return
    for line in _lines(figures):
        click.echo(line)


@command.command("tracking")
@click.argument("result", type=FILE)
@click.argument("truth", type=FILE)
@click.option("--gate", default=1.0, show_default=True, metavar="M", help="A track further off is another one, metres.")
@click.option("--everything", is_flag=True, help="Also ask for what no camera saw, by the truth's observations.")
@click.option("--report", type=click.Path(path_type=Path), help="Draw tracks, timelines and id changes, an HTML file.")
@click.option("--plan", "plan_path", type=FILE, help="plan.json, to draw under the tracks of the report.")
@click.option("--json", "as_json", is_flag=True, help="Print all figures for a program to read.")
def tracking(
    result: Path, truth: Path, gate: float, everything: bool, report: Path | None, plan_path: Path | None, as_json: bool
) -> None:
    """Judge tracks.jsonl by a tracks.jsonl of the truth.

    Example: tiepoint evaluate tracking tracks.jsonl truth/tracks.jsonl
    """
    from twin.cli import echo_json
    from twin.evaluate_tracking import evaluate_tracking

    figures = evaluate_tracking(
        result, truth, gate_m=gate, seen_only=not everything, report=report, plan_path=plan_path
    )
    if as_json:
        echo_json(figures)
        return
    for line in _tracking_lines(figures):
        click.echo(line)


@command.command("retrieval")
@click.argument("result", type=FILE)
@click.argument("truth", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print all figures for a program to read.")
def retrieval(result: Path, truth: Path, as_json: bool) -> None:
    """Judge results.jsonl of searches by the qrels.csv of the truth.

    Example: tiepoint evaluate retrieval results.jsonl truth/qrels.csv
    """
    from twin.cli import echo_json
    from twin.evaluate_retrieval import evaluate_retrieval

    figures = evaluate_retrieval(result, truth)
    if as_json:
        echo_json(figures)
        return
    for line in _retrieval_lines(figures):
        click.echo(line)


def _retrieval_lines(figures: dict[str, Any]) -> list[str]:
    depths = list(figures["cmc"])
    lines = [f"{figures['answered']} of {figures['queries']} queries answered, mAP {figures['mAP']:.3f}"]
    lines.append("k       " + "".join(f"{k:>8}" for k in depths))
    for name, key in (("CMC", "cmc"), ("recall", "recall_at"), ("nDCG", "ndcg_at")):
        lines.append(f"{name:<8}" + "".join(f"{figures[key][k]:8.3f}" for k in depths))
    if figures["calibration"]:
        found = figures["calibration"]
        lines.append(f"calibration error {found['error']:.3f} over {found['answers']} probabilities")
    return lines


def _tracking_lines(figures: dict[str, Any]) -> list[str]:
    lines = [
        f"{figures['tracks']} tracks of {figures['true_tracks']}, {figures['instants']} instants",
        "".join(f"{name:>8}" for name in ("HOTA", "DetA", "AssA", "MOTA", "IDF1")),
        "".join(f"{figures[name]:8.3f}" for name in ("HOTA", "DetA", "AssA", "MOTA", "IDF1")),
        f"{figures['switches']} switches, {figures['missed']} missed, {figures['false']} false",
    ]
    if figures["position_error_m"]:
        lines.append("error m  " + ", ".join(f"{name} {e:.3f}" for name, e in figures["position_error_m"].items()))
    if figures["coverage_95"] is not None:
        lines.append(f"truth inside the claimed 95 % ellipse: {figures['coverage_95']:.1%}")
    if figures["boxes"]:
        scores = ", ".join(f"{name} {figures['boxes'][name]:.3f}" for name in ("HOTA", "MOTA", "IDF1"))
        lines.append(f"boxes in pictures, one identity for all cameras: {scores}")
    for entry in figures["identities"][:10]:
        for change in entry["changes"][:3]:
            where = ", ".join(f"{value:.1f}" for value in change["where"])
            what = f"true track {entry['true_track']}: id {change['from']} became {change['to']}"
            lines.append(f"{what} at {change['time']:.2f}, ({where}): {change['why']}")
    return lines


def _lines(figures: dict[str, Any]) -> list[str]:
    lines = [f"{figures['localized']} of {figures['queries']} localized, {figures['refused']} refused"]
    position, rotation = figures["position_error_m"], figures["rotation_error_deg"]
    if position:
        lines.append("           " + "".join(f"{name:>10}" for name in position))
        lines.append("error mm   " + "".join(f"{value * 1000:10.2f}" for value in position.values()))
        lines.append("error deg  " + "".join(f"{value:10.4f}" for value in rotation.values()))
    lines += [f"recall at {bound:<14} {share:7.1%}" for bound, share in figures["recall"].items()]
    lines.append(f"wrong but confident      {figures['wrong_but_confident']}")
    if figures["covariance"]:
        coverage = figures["covariance"]["position"]["coverage"]
        lines.append("truth inside the claimed ellipsoid: " + ", ".join(f"{p}: {s:.0%}" for p, s in coverage.items()))
    return lines
