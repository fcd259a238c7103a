"""What update.json says, in lines to read on a terminal."""

from collections.abc import Mapping
from typing import Any

MAX_LINES = 12
"""Of changes of each kind; update.json has them all."""


def update_remarks(update: Mapping[str, Any]) -> list[str]:
    """Return what an update changed, a line each."""
    photos, source = update["photos"], update["from"]
    lines = [
        f"version {update['version']}, from {source['name']} version {source['version']}: "
        f"{photos['kept']} photos stay, {len(photos['entered'])} entered, {len(photos['left'])} left"
    ]
    if photos["not_placed"]:
        lines.append(f"not placed: {len(photos['not_placed'])} new photos, for the reasons in update.json")
    if photos["placed_again"]:
        lines.append(f"placed again, as their place was unsure: {', '.join(photos['placed_again'])}")
    counts = update["landmarks"]
    lines.append(
        f"landmarks: {counts['kept']} stay, {counts['new']} new, {counts['vanished']} probably vanished, "
        f"{counts['forgotten']} forgotten"
    )
    for kind in ("vanished", "appeared"):
        lines += [f"{kind}: {each['landmarks']} landmarks {_where(each)}" for each in update[kind][:MAX_LINES]]
    for each in update["moved"][:MAX_LINES]:
        lines.append(
            f"moved by {each['distance_m']:.2f} m: {each['landmarks']} landmarks {_where(each['from'])}, "
            f"now {_where(each['to'])}"
        )
    more = sum(max(len(update[kind]) - MAX_LINES, 0) for kind in ("vanished", "appeared", "moved"))
    return [*lines, f"and {more} more changes, in update.json"] if more else lines


def _where(place: Mapping[str, Any]) -> str:
    level = "" if place["level"] is None else f"on {place['level']} "
    return f"{level}at ({', '.join(f'{value:.1f}' for value in place['position'])})"
