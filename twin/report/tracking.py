"""The report on tracks: where they went on each level, who every object was taken for when, and every change of id."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from markupsafe import Markup
from numpy.typing import NDArray

from geometry import write_atomic
from geometry.floorplan import FloorPlan
from geometry.track_records import TrackRow
from twin.matched_tracks import MatchedRows
from twin.report import svg, units
from twin.report.page import environment
from twin.report.plan import MARGIN, WIDTH, Window

Array = NDArray[np.float64]

BAR, GAP, NAME_WIDTH = 9.0, 4.0, 60.0
GOLDEN_ANGLE = 137.508
STAYS_M = 0.3
MAX_GAP_STEPS = 3.0
"""A line is broken where rows of a track are further apart in time than this many usual steps."""
MIN_SIZE_M = 2.0
MAX_LINES = 400
"""More lines than this are no picture any more; the ones with most changes come first."""


def write_tracking_report(
    path: Path,
    rows: Sequence[TrackRow],
    *,
    plan: FloorPlan | None = None,
    matched: MatchedRows | None = None,
    figures: Mapping[str, Any] | None = None,
    title: str = "Who was where",
) -> None:
    """Write a self-contained HTML page, atomically.

    matched, figures: what ``match_rows`` and ``judge_tracks`` return, where there is a truth. Names are taken as
    hostile text.
    """
    changes = _changes(figures or {})
    times = np.array([row.time for row in rows]) if matched is None else matched.instants
    start, end = (float(times.min()), float(times.max())) if len(times) else (0.0, 0.0)
    content = (
        environment()
        .get_template("tracking.html")
        .render(
            title=title,
            tracks=len({row.track for row in rows}),
            judged=matched is not None,
            true_tracks=figures["true_tracks"] if figures else 0,
            span=round(end - start, 1),
            start=start,
            headlines=_headlines(figures) if figures else [],
            plans=draw_levels(rows, plan, changes),
            timeline=draw_true_timelines(matched) if matched is not None else draw_timelines(rows),
            changes=changes,
        )
    )
    write_atomic(path, content.encode())


def colour(track: int) -> str:
    """Return the colour of an identity; those that follow each other differ most."""
    return f"hsl({track * GOLDEN_ANGLE % 360:.0f} 68% {(44, 54, 62)[track % 3]}%)"


def draw_levels(
    rows: Sequence[TrackRow], plan: FloorPlan | None, changes: Sequence[Mapping[str, Any]]
) -> list[tuple[str, Markup]]:
    """Return (level, drawing) of each level that has tracks: outline, stalls, ramps, tracks, changes of identity."""
    names = [level.id for level in plan.levels] if plan else sorted({row.level or "" for row in rows})
    heights = {level.id: level.elevation for level in plan.levels} if plan else {}
    drawings = []
    for name in names:
        own = [row for row in rows if (row.level or "") == name]
        if not own:
            continue
        ground = _ground(plan, name) if plan else []
        window = _window([np.array([row.position[:2] for row in own]), *(points for _, points in ground)])
        here = [change for change in changes if len(heights) < 2 or _nearest(heights, change["place"][2]) == name]
        parts = [svg.element("path", d=svg.path(window.place(points)), class_=kind) for kind, points in ground]
        parts += _tracks(own, window)
        parts += [_change(change, window) for change in here]
        parts.append(_scale_bar(window))
        label = f"{len({row.track for row in own})} tracks from above"
        drawings.append((name, svg.drawing(WIDTH, window.height, *parts, label=label, class_="plan")))
    return drawings


def draw_true_timelines(matched: MatchedRows) -> Markup:
    """Draw a line for each true track: by time, the identities that it was given."""
    true, found = matched.true, matched.found
    given = np.full(len(true.time), -1)
    given[matched.pairs[:, 1]] = found.track[matched.pairs[:, 0]]
    lines = []
    for track in np.unique(true.track[matched.asked]).tolist():
        own = np.flatnonzero((true.track == track) & matched.asked)
        ids = given[own]
        named = ids[ids >= 0]
        lines.append((str(track), true.time[own], ids, int((named[1:] != named[:-1]).sum())))
    lines.sort(key=lambda line: (-line[3], line[1][0]))
    step = _usual_step(matched.instants)
    return _timeline([(name, _runs(times, ids, step)) for name, times, ids, _ in lines[:MAX_LINES]])


def draw_timelines(rows: Sequence[TrackRow]) -> Markup:
    """Draw a line for each track: by time, where it has rows, pale where no camera saw it."""
    by_track: dict[int, list[TrackRow]] = {}
    for row in rows:
        by_track.setdefault(row.track, []).append(row)
    step = _usual_step(np.unique([row.time for row in rows]))
    lines = []
    for track, own in sorted(by_track.items())[:MAX_LINES]:
        ids = np.array([track if row.observations else -1 for row in own])
        lines.append((str(track), _runs(np.array([row.time for row in own]), ids, step)))
    return _timeline(lines)


def _headlines(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [(name, f"{figures[name]:.3f}") for name in ("IDF1", "HOTA", "MOTA")]
    if figures["position_error_m"]:
        found.append(("median error", units.length(figures["position_error_m"]["median"])))
    if figures["coverage_95"] is not None:
        found.append(("truth inside the claimed 95 % ellipse", units.share(figures["coverage_95"])))
    return found


def _changes(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all changes of identity, numbered in the order of time."""
    rows = [(entry["true_track"], change) for entry in figures.get("identities", ()) for change in entry["changes"]]
    return [
        {
            "number": number,
            "track": track,
            "time": change["time"],
            "before": change["from"],
            "after": change["to"],
            "gap_s": change["gap_s"],
            "moved_m": change["moved_m"],
            "nearest_m": change["nearest_other_m"],
            "place": change["where"],
            "where": ", ".join(f"{value:.1f}" for value in change["where"]),
            "why": change["why"],
        }
        for number, (track, change) in enumerate(sorted(rows, key=lambda row: row[1]["time"]), start=1)
    ]


def _nearest(heights: Mapping[str, float], z: float) -> str:
    return min(heights, key=lambda name: abs(heights[name] - z))


def _ground(plan: FloorPlan, level: str) -> list[tuple[str, Array]]:
    """Return what is drawn under tracks: kind and line (N, 2)."""
    found = [("stall", stall.polygon) for stall in plan.stalls if stall.level == level]
    found += [("ramp", ramp.polygon) for ramp in plan.ramps if level in (ramp.from_level, ramp.to_level)]
    found += [("outline", each.outline) for each in plan.levels if each.id == level]
    return [(kind, shapely.get_coordinates(shapely.get_exterior_ring(polygon))) for kind, polygon in found]


def _window(parts: Sequence[Array]) -> Window:
    points = np.concatenate(parts)
    low, high = points.min(axis=0), points.max(axis=0)
    half = np.maximum(0.52 * (high - low), MIN_SIZE_M / 2)
    half = np.maximum(half, [1.0, 0.15 * half[0]])
    middle = 0.5 * (low + high)
    return Window(low=middle - half, high=middle + half, scale=(WIDTH - 2 * MARGIN) / float(2 * half[0]))


def _tracks(rows: Sequence[TrackRow], window: Window) -> list[Markup]:
    """Draw each track's way, broken where it has no rows, and a mark for what stays in its place."""
    by_track: dict[int, list[TrackRow]] = {}
    for row in rows:
        by_track.setdefault(row.track, []).append(row)
    step = _usual_step(np.unique([row.time for row in rows]))
    drawn = []
    for track, own in sorted(by_track.items()):
        times, places = np.array([row.time for row in own]), np.array([row.position[:2] for row in own])
        breaks = np.flatnonzero(np.diff(times) > MAX_GAP_STEPS * step) + 1
        parts = np.split(window.place(places), breaks)
        data = "".join(svg.path(part if len(part) > 1 else np.repeat(part, 2, axis=0)) for part in parts)
        title = svg.element("title", f"{track}, {own[0].kind}")
        if np.ptp(places, axis=0).max() < STAYS_M:  # a way of no length could not be seen
            x, y = window.place(places.mean(axis=0)).tolist()
            drawn.append(svg.element("circle", title, cx=x, cy=y, r=4, class_="stays", fill=colour(track)))
        else:
            drawn.append(svg.element("path", title, d=data, class_="track", stroke=colour(track)))
    return drawn


def _change(change: Mapping[str, Any], window: Window) -> Markup:
    x, y = window.place(np.array(change["place"])).tolist()
    what = f"object {change['track']}: {change['before']} became {change['after']}, {change['why']}"
    return svg.element(
        "a",
        svg.element("title", what),
        svg.element("circle", cx=x, cy=y, r=4.5),
        svg.text(x + 6, y - 5, str(change["number"])),
        href=f"#change-{change['number']}",
        class_="switch",
    )


def _scale_bar(window: Window) -> Markup:
    metres = 10.0 ** np.floor(np.log10(float((window.high - window.low)[0]) / 3))
    x, y = MARGIN, window.height - MARGIN / 3
    ends = svg.path([[x, y - 5], [x, y], [x + metres * window.scale, y], [x + metres * window.scale, y - 5]])
    words = svg.text(x + 4, y - 8, f"{metres:g}{units.NO_BREAK}m")
    return svg.element("g", svg.element("path", d=ends), words, class_="scale")


def _usual_step(times: Array) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 1.0


def _runs(times: Array, ids: NDArray[np.int64], step: float) -> list[tuple[float, float, int]]:
    """Return (begin, end, id) of the stretches of one id, -1 for none, broken where rows are missing."""
    if len(times) == 0:
        return []
    cuts = np.flatnonzero((ids[1:] != ids[:-1]) | (np.diff(times) > MAX_GAP_STEPS * step)) + 1
    parts = np.split(np.arange(len(times)), cuts)
    return [(float(times[p[0]]) - step / 2, float(times[p[-1]]) + step / 2, int(ids[p[0]])) for p in parts]


def _timeline(lines: Sequence[tuple[str, Sequence[tuple[float, float, int]]]]) -> Markup:
    ends = [time for _, runs in lines for begin, end, _ in runs for time in (begin, end)]
    start, stop = (min(ends), max(ends)) if ends else (0.0, 1.0)
    scale = (WIDTH - NAME_WIDTH - 12) / max(stop - start, 1e-9)
    height = len(lines) * (BAR + GAP) + 30
    parts = []
    for seconds in np.linspace(0, stop - start, 7).tolist():
        x = NAME_WIDTH + seconds * scale
        parts += [
            svg.line(x, 4, x, height - 20, class_="tick"),
            svg.text(x, height - 6, f"{seconds:.0f} s", text_anchor="middle"),
        ]
    for number, (name, runs) in enumerate(lines):
        y = 6 + number * (BAR + GAP)
        parts.append(svg.text(NAME_WIDTH - 6, y + BAR, name, text_anchor="end"))
        last = -1
        for begin, end, id in runs:
            x, wide = NAME_WIDTH + (begin - start) * scale, max((end - begin) * scale, 0.8)
            style: dict[str, svg.Attribute] = (
                {"class_": "asked"} if id < 0 else {"class_": "bar", "style": f"fill:{colour(id)}"}
            )
            parts.append(svg.element("rect", x=x, y=y, width=wide, height=BAR, **style))
            if id >= 0:
                if last not in (-1, id):
                    parts.append(svg.line(x, y - 2, x, y + BAR + 2, class_="change"))
                last = id
    return svg.drawing(WIDTH, height, *parts, label=f"{len(lines)} lines of time", class_="timeline")
