"""What quality.json says of a facility, in lines to read on a terminal."""

from collections.abc import Mapping
from typing import Any


def remarks(quality: Mapping[str, Any]) -> list[str]:
    """Return what quality.json says of the facility, a line each."""
    lines = []
    if quality.get("folded"):
        lines.append(f"FOLDED: these tags contradict the map: {', '.join(quality['folded'])}")
    for level in quality.get("floors", {}).get("levels", ()):
        lines.append(f"level {level['level']}: elevation {level['elevation']:.3f} m, sigma {level['sigma_m']:.3f} m")
    plan = quality.get("plan", {})
    if plan:
        lines.append(f"plan: {plan['source']}, {plan['stalls']} stalls on {len(plan['levels'])} levels")
        lines += [f"plan and map disagree: {d['level']} {d['element']}: {d['what']}" for d in plan["disagreements"]]
        lines += [f"plan: {text}" for text in (*plan["remarks"], *plan["warnings"])]
    for part in ("floors", "marks", "signs", "surface"):
        if "skipped" in quality.get(part, {}):
            lines.append(f"no {part}: {quality[part]['skipped']}")
    return lines
