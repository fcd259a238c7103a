"""What quality.json says of a facility, in lines to read on a terminal."""

from collections.abc import Mapping
from typing import Any

TORN_OF, TORN_M = 10, 0.3
"""Sound maps of rendered garages have 5 mm there, one of 240 photos where 480 are needed has 1.2 m, and was 3 m off."""


def remarks(quality: Mapping[str, Any]) -> list[str]:
    """Return what quality.json says of the facility, a line each."""
    lines = []
    if quality.get("folded"):
        lines.append(f"FOLDED: these tags contradict the map: {', '.join(quality['folded'])}")
    if quality.get("look_alikes"):
        count = quality["look_alikes"]
        lines.append(f"FOLDED: places that look alike lie on each other, by {count} pairs of photos")
    if quality.get("jumps"):
        lines.append(f"FOLDED: the map jumps after {len(quality['jumps'])} photos: {', '.join(quality['jumps'][:6])}")
    if quality.get("elsewhere") and not quality.get("folded"):
        names = ", ".join(quality["elsewhere"])
        lines.append(
            f"tags elsewhere in the map than surveyed: {names}. They were moved or mistyped, or a part that looks "
            "alike lies on another: look where their photos are"
        )
    torn = _torn(quality.get("left_out", {}))
    if torn is not None:
        lines.append(torn)
    if "size" in quality:
        lines.append(_size(quality["size"]))
    if "thinned" in quality:
        lines.append(_thinned(quality["thinned"], quality["left_out"]))
    for level in quality.get("floors", {}).get("levels", ()):
        lines.append(f"level {level['level']}: elevation {level['elevation']:.3f} m, sigma {level['sigma_m']:.3f} m")
    plan = quality.get("plan", {})
    if plan:
        lines.append(f"plan: {plan['source']}, {plan['stalls']} stalls on {len(plan['levels'])} levels")
        lines += [f"plan and map disagree: {d['level']} {d['element']}: {d['what']}" for d in plan["disagreements"]]
        lines += [f"plan: {text}" for text in (*plan["remarks"], *plan["warnings"])]
    for part in ("floors", "marks", "signs", "textures", "telltales", "surface"):
        if "skipped" in quality.get(part, {}):
            lines.append(f"no {part}: {quality[part]['skipped']}")
    return lines


def _torn(left_out: Mapping[str, Any]) -> str | None:
    """Return that a map disagrees with itself, None where photos that were left out come back to where it has them."""
    error = left_out.get("position_error_m")
    if error is None or left_out["localized"] < TORN_OF or error["p90"] <= TORN_M:
        return None
    return (
        f"TORN: of {left_out['localized']} photos left out and localized again one in ten comes out "
        f"{error['p90']:.1f} m or more from where the map has it: parts are bent. Denser photos, or tags, hold it"
    )


def _size(size: Mapping[str, Any]) -> str:
    line = f"map: {size['bytes']['map'] / 1e6:.1f} MB"
    if size["map_bytes_per_m2"] is None:
        return line
    of = "floor" if size["area_of"] == "floors" else "what the cameras enclose"
    return f"{line}, {size['map_bytes_per_m2'] / 1e3:.1f} kB a square metre of {of}"


def _thinned(thinned: Mapping[str, Any], left_out: Mapping[str, Any]) -> str:
    before = thinned["left_out_before"]["localized"]
    return (
        f"thinned to {thinned['budget_mb']:g} MB: {thinned['landmarks_kept']:.0%} of the landmarks, "
        f"{thinned['observations_kept']:.0%} of the observations; "
        f"left-out photos localized {before} before, {left_out['localized']} after"
    )
