"""tiepoint track: detections of fixed cameras become tracks in the site."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from twin.commands.looking import Looking, looking_options

PATH = click.Path(path_type=Path)


@click.command("track")
@click.argument("twin", required=False, type=PATH)
@click.option("--cameras", type=PATH, help="cameras.json, instead of a twin.")
@click.option("--plan", "plan_path", type=PATH, help="plan.json: levels, ramps, lanes. Without it the ground is z = 0.")
@click.option("--detections", type=PATH, help="detections.jsonl, or - for a stream on standard input.")
@click.option("--video", "videos", multiple=True, help="ID=PATH: a camera's video, folder of pictures or rtsp address.")
@looking_options
@click.option("--save-detections", type=PATH, help="Keep what was detected in videos, a detections.jsonl.")
@click.option("--out", required=True, type=PATH, help="tracks.jsonl, or - for standard output.")
@click.option(
    "--clock-sigma", default=0.3, show_default=True, help="How far clocks may be off, seconds; 0 trusts them."
)
@click.option("--rate", default=5.0, show_default=True, help="Rows a second and track.")
@click.option("--box-px", default=1.5, show_default=True, help="Standard deviation of a box's sides, pixels.")
@click.option("--boxes-by", help="What found --detections, as --detector: how it errs counts, where that is known.")
@click.option("--whole-boxes", is_flag=True, help="Boxes go around the whole object, hidden parts too.")
@click.option("--live", is_flag=True, help="Write rows as frames come, with a bounded delay and no second thoughts.")
@click.option(
    "--delay", default=0.5, show_default=True, help="With --live: how long late frames are waited for, seconds."
)
@click.option("--report", type=PATH, help="Draw the tracks on the plan and a timeline of each, an HTML file.")
@click.option("--links", type=PATH, help="Write why pieces of tracks were joined or not, a line each, into this file.")
@click.option("--events", "events_path", type=PATH, help="Write what happened, events.jsonl; needs a plan.")
@click.option("--occupancy", "occupancy_path", type=PATH, help="Write which stalls are taken, occupancy.jsonl.")
@click.option("--json", "as_json", is_flag=True, help="Print clocks and counts for a program to read.")
def command(
    twin: Path | None,
    cameras: Path | None,
    plan_path: Path | None,
    detections: Path | None,
    videos: tuple[str, ...],
    looking: Looking,
    save_detections: Path | None,
    out: Path,
    clock_sigma: float,
    rate: float,
    box_px: float,
    boxes_by: str | None,
    whole_boxes: bool,
    live: bool,
    delay: float,
    report: Path | None,
    links: Path | None,
    events_path: Path | None,
    occupancy_path: Path | None,
    as_json: bool,
) -> None:
    """Track every vehicle and person of all fixed cameras, one identity each, in site metres.

    Example: tiepoint track --cameras cameras.json --plan plan.json --detections detections.jsonl --out tracks.jsonl

    From pixels: tiepoint track TWIN --video cam1=cam1.mp4 --video cam2=rtsp://10.0.0.7/stream --out tracks.jsonl
    """
    from geometry.floorplan import read_plan
    from geometry.interchange import read_cameras_json
    from perception.detection.making import habits_of
    from perception.tracking.options import TrackerOptions
    from twin.events.writing import EventWriter
    from twin.tracking import TrackingOptions

    if (twin is None) == (cameras is None):
        raise click.UsageError("Give a twin or --cameras, one of them.")
    if (detections is None) == (not videos):
        raise click.UsageError("Give --detections or --video, one of them.")
    if save_detections and not videos:
        raise click.UsageError("--save-detections needs --video.")
    if looking.stalls not in (None, "none") and not videos:
        raise click.UsageError("--stalls needs --video.")
    if boxes_by and not detections:
        raise click.UsageError("--boxes-by is for --detections; of --video it is the --detector.")
    if live and (links or report):
        raise click.UsageError("--links and --report need the whole recording; leave out --live.")
    cameras_path = cameras if cameras is not None else Path(twin or "") / "cameras.json"
    found = Path(twin) / "plan.json" if twin is not None else None
    plan_path = plan_path or (found if found is not None and found.is_file() else None)
    plan = read_plan(plan_path) if plan_path else None
    habits = looking.habits if videos else habits_of(boxes_by) if boxes_by else None
    tracker = TrackerOptions.of(habits, box_px=box_px, visible_boxes=not whole_boxes)
    options = TrackingOptions(tracker=tracker, clock_sigma_s=clock_sigma, rows_per_s=rate)
    if (events_path or occupancy_path) and plan is None:
        raise click.UsageError("--events and --occupancy need a plan: which stalls and gates there are.")
    known = read_cameras_json(cameras_path)
    left_out: dict[str, int] = {}
    if videos:
        ids = [camera.id for camera in known]
        frames = _watched(videos, ids, looking.detection_options(plan, known), save_detections, left_out)
    else:
        frames = _given(detections or Path("-"))
    told = EventWriter(plan, known, events_path, occupancy_path)
    if live:
        summary = _live(known, plan, options, delay, frames, out, told)
    else:
        summary = _whole(known, plan, options, frames, out, links, report, told)
    summary |= told.counts
    if videos:
        summary["dropped"] |= {f"frames of {camera}": count for camera, count in left_out.items()}
    if as_json:
        from twin.cli import echo_json

        echo_json(summary)
    else:
        for line in _lines(summary):
            click.echo(line, err=out == Path("-"))


def _watched(
    videos: tuple[str, ...], cameras: list[str], options: Any, keep: Path | None, left_out: dict[str, int]
) -> Iterator[Any]:
    """Yield what is detected in videos, and keep it, if asked to, when all is done."""
    from geometry.jsonl import write_jsonl
    from twin.video import detect_videos, parse_videos

    found = detect_videos(parse_videos(videos, cameras), options, left_out)
    if keep is None:
        yield from found
        return
    lines = []
    for frame in found:
        lines.append(frame.model_dump(by_alias=True, exclude_defaults=True) | {"detections": _rows_of(frame)})
        yield frame
    write_jsonl(keep, sorted(lines, key=lambda line: (line["time"], line["camera"])))


def _rows_of(frame: Any) -> list[dict[str, Any]]:
    return [each.model_dump(by_alias=True, exclude_defaults=True) for each in frame.detections]


def _given(detections: Path) -> Iterator[Any]:
    from geometry.track_records import read_detections

    return _stream() if detections == Path("-") else read_detections(detections)


def _whole(
    cameras: Any,
    plan: Any,
    options: Any,
    frames: Iterator[Any],
    out: Path,
    links: Path | None,
    report: Path | None,
    told: Any,
) -> dict[str, Any]:
    from geometry.jsonl import write_jsonl
    from geometry.track_records import write_tracks
    from twin.commands.progress import StageBars
    from twin.tracking import explanations, track

    bars = StageBars()
    try:
        tracks = track(frames, cameras, plan=plan, options=options, on_progress=partial(bars, "tracking"))
    finally:
        bars.close()
    if out == Path("-"):
        for row in tracks.rows:
            click.echo(row.model_dump_json(by_alias=True, exclude_defaults=True))
    else:
        write_tracks(out, tracks.rows)
    told.whole(tracks.rows, tracks.looks, tracks.unsure)
    if links:
        write_jsonl(links, explanations(tracks.linked))
    if report:
        from twin.report.tracking import write_tracking_report

        write_tracking_report(report, tracks.rows, plan=plan)
    clocks = tracks.clocks
    offsets = {
        camera: {"offset_s": float(clocks.offset_s[i]), "sigma_s": clocks.sigma_s(camera)}
        for i, camera in enumerate(clocks.cameras if clocks else ())
        if clocks
    }
    return {
        "tracks": len({row.track for row in tracks.rows}),
        "rows": len(tracks.rows),
        "dropped": tracks.dropped,
        "clocks": offsets,
    }


def _live(
    cameras: Any, plan: Any, options: Any, delay: float, frames: Iterator[Any], out: Path, told: Any
) -> dict[str, Any]:
    from twin.live_tracking import LiveTracker

    tracker = LiveTracker(cameras, plan=plan, options=options, delay_s=delay)
    ids, rows = set(), 0
    told.begin()
    with click.open_file(str(out), "w", encoding="utf-8") as file:
        for due in _all_rows(tracker, frames, told):
            for row in due:
                file.write(row.model_dump_json(by_alias=True, exclude_defaults=True) + "\n")
                ids.add(row.track)
            rows += len(due)
            if due:
                file.flush()
            told.live(tracker.time, due)
        told.end()
    return {"tracks": len(ids), "rows": rows, "dropped": tracker.dropped, "clocks": {}}


def _all_rows(tracker: Any, frames: Iterator[Any], told: Any) -> Iterator[Any]:
    for frame in frames:
        exposed = tracker.utc(frame)
        due = tracker.push(frame)
        told.look(frame, exposed)
        yield due
    yield tracker.finish()


def _stream() -> Iterator[Any]:
    """Yield frames of standard input as they come; a line that is wrong is an error that names it."""
    from geometry.track_records import parse_detections

    for number, line in enumerate(sys.stdin.buffer, start=1):
        if line.strip():
            yield parse_detections(line, f"standard input, line {number}")


def _lines(summary: dict[str, Any]) -> list[str]:
    lines = [f"{summary['tracks']} tracks, {summary['rows']} rows"]
    lines += [f"dropped: {count} {what}" for what, count in summary["dropped"].items() if count]
    if "events" in summary:
        lines.append(f"{summary['events']} events")
    lines += [
        f"clock of {camera}: {clock['offset_s']:+.3f} s, sigma {clock['sigma_s']:.3f} s"
        for camera, clock in summary["clocks"].items()
    ]
    return lines
