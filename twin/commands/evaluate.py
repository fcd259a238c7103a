"""tiepoint evaluate: results against truth."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
RESULT, TRUTH = click.argument("result", type=FILE), click.argument("truth", type=FILE)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print all figures for a program to read.")
Figures = dict[str, Any]


@click.group("evaluate")
def command() -> None:
    """Judge a result file by its truth."""


@command.command("localization")
@RESULT
@TRUTH
@click.option(
    "--truth-sigma", default=0.0, metavar="M", help="Standard deviation of the truth itself, metres a coordinate."
)
@AS_JSON
def localization(result: Path, truth: Path, truth_sigma: float, as_json: bool) -> None:
    """Judge localizations.jsonl by a poses.csv of true poses.

    Example: tiepoint evaluate localization localizations.jsonl truth/queries.csv
    """
    from twin import evaluate_localization

    figures = evaluate_localization(result, truth, truth_sigma_m=truth_sigma)
    _say(figures, as_json, _localization_lines)


@command.command("tracking")
@RESULT
@TRUTH
@click.option("--gate", default=1.0, show_default=True, metavar="M", help="A track further off is another one, metres.")
@click.option("--everything", is_flag=True, help="Also ask for what no camera saw, by the truth's observations.")
@click.option("--report", type=click.Path(path_type=Path), help="Draw tracks, timelines and id changes, an HTML file.")
@click.option("--plan", "plan_path", type=FILE, help="plan.json, to draw under the tracks of the report.")
@AS_JSON
def tracking(
    result: Path, truth: Path, gate: float, everything: bool, report: Path | None, plan_path: Path | None, as_json: bool
) -> None:
    """Judge tracks.jsonl by a tracks.jsonl of the truth.

    Example: tiepoint evaluate tracking tracks.jsonl truth/tracks.jsonl
    """
    from twin.evaluate_tracking import evaluate_tracking

    figures = evaluate_tracking(
        result, truth, gate_m=gate, seen_only=not everything, report=report, plan_path=plan_path
    )
    _say(figures, as_json, _tracking_lines)


@command.command("retrieval")
@RESULT
@TRUTH
@AS_JSON
def retrieval(result: Path, truth: Path, as_json: bool) -> None:
    """Judge results.jsonl of searches by the qrels.csv of the truth.

    Example: tiepoint evaluate retrieval results.jsonl truth/qrels.csv
    """
    from twin.evaluate_retrieval import evaluate_retrieval

    figures = evaluate_retrieval(result, truth)
    _say(figures, as_json, _retrieval_lines)


@command.command("detections")
@RESULT
@TRUTH
@click.option("--score", default=0.3, show_default=True, help="For recall, precision and kinds: detections from here.")
@AS_JSON
def detections(result: Path, truth: Path, score: float, as_json: bool) -> None:
    """Judge detections.jsonl by the boxes.jsonl of a rendered scene.

    Example: tiepoint evaluate detections detections.jsonl truth/boxes.jsonl
    """
    from twin.evaluate_detection import evaluate_detections

    figures = evaluate_detections(result, truth, score=score)
    _say(figures, as_json, _detection_lines)


@command.command("occupancy")
@RESULT
@TRUTH
@click.option("--tolerance", default=10.0, show_default=True, metavar="S", help="How late a change may be told.")
@AS_JSON
def occupancy(result: Path, truth: Path, tolerance: float, as_json: bool) -> None:
    """Judge occupancy.jsonl by that of the truth.

    Example: tiepoint evaluate occupancy occupancy.jsonl truth/occupancy.jsonl
    """
    from twin.evaluate_events import evaluate_occupancy

    figures = evaluate_occupancy(result, truth, tolerance_s=tolerance)
    _say(figures, as_json, partial(_occupancy_lines, tolerance))


@command.command("events")
@RESULT
@TRUTH
@click.option("--tolerance", default=2.0, show_default=True, metavar="S", help="How far off in time an event may be.")
@AS_JSON
def events(result: Path, truth: Path, tolerance: float, as_json: bool) -> None:
    """Judge events.jsonl by that of the truth.

    Example: tiepoint evaluate events events.jsonl truth/events.jsonl
    """
    from twin.evaluate_events import evaluate_events

    figures = evaluate_events(result, truth, tolerance_s=tolerance)
    _say(figures, as_json, _event_lines)


def _say(figures: Figures, as_json: bool, lines: Callable[[Figures], list[str]]) -> None:
    """Print all figures for a program, or the gist in lines."""
    from twin.cli import echo_json

    if as_json:
        echo_json(figures)
    else:
        for line in lines(figures):
            click.echo(line)


def _detection_lines(figures: Figures) -> list[str]:
    lines = []
    for family in ("vehicle", "person"):
        if family in figures:
            own = figures[family]
            told = ", ".join(f"{key} {own[key]:.3f}" for key in ("AP50", "recall", "precision") if own[key] is not None)
            lines.append(f"{family}: {own['boxes']} boxes in {figures['pictures']} pictures, {told}")
            if own.get("kind_accuracy") is not None:
                lines.append(f"kinds right: {own['kind_accuracy']:.3f}")
    return lines


def _occupancy_lines(tolerance: float, figures: Figures) -> list[str]:
    lines = [f"{figures['stalls']} stalls, balanced accuracy {figures['balanced_accuracy']:.3f}"]
    if figures["changes"]:
        lines.append(f"{figures['changes']} changes, {figures['changes_in_time']:.0%} told within {tolerance:g} s")
    return [*lines, f"{figures['false_changes']} false changes, unknown {figures['unknown_share']:.1%} of the time"]


def _event_lines(figures: Figures) -> list[str]:
    lines = []
    for kind, own in figures["events"].items():
        shares = [f"{key} {own[key]:.2f}" for key in ("recall", "precision") if own[key] is not None]
        lines.append(f"{kind}: {own['told']} told, {own['true']} true, {', '.join(shares)}")
    return [*lines, "gate counts are exact" if figures["gates"]["exact"] else "gate counts are not exact"]


def _retrieval_lines(figures: Figures) -> list[str]:
    depths = list(figures["cmc"])
    lines = [f"{figures['answered']} of {figures['queries']} queries answered, mAP {figures['mAP']:.3f}"]
    lines.append("k       " + "".join(f"{k:>8}" for k in depths))
    for name, key in (("CMC", "cmc"), ("recall", "recall_at"), ("nDCG", "ndcg_at")):
        lines.append(f"{name:<8}" + "".join(f"{figures[key][k]:8.3f}" for k in depths))
    if figures["calibration"]:
        found = figures["calibration"]
        lines.append(f"calibration error {found['error']:.3f} over {found['answers']} probabilities")
    return lines


def _tracking_lines(figures: Figures) -> list[str]:
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


def _localization_lines(figures: Figures) -> list[str]:
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
