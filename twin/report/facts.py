"""What quality.json and an evaluation say, as (name, sentence) pairs to read."""

from collections.abc import Mapping
from typing import Any

from twin.localizer_options import LocalizerOptions
from twin.report import units

Fact = tuple[str, str]


def map_facts(quality: Mapping[str, Any]) -> list[Fact]:
    """Return what is worth knowing of a map from its quality.json."""
    images, landmarks, coverage = quality["images"], quality["landmarks"], quality["coverage"]
    missing = len(images["not_placed"])
    track, sizes = landmarks["track_length"], [f"{size:.1f}" for size in coverage["extent_m"]]
    facts = [
        ("Images", f"{images['placed']} placed" + (f", {missing} left out" if missing else ", none left out")),
        (
            "Landmarks",
            f"{units.count(landmarks['count'])}, seen {units.count(landmarks['observations'])} times, "
            f"each in {track['mean']:.1f} images on average",
        ),
        ("Extent", " × ".join(sizes) + f"{units.NO_BREAK}m, almost all landmarks"),
    ]
    facts += _spread("Reprojection residuals", quality["residuals_px"], units.pixels)
    facts += _spread("Claimed sigma of landmarks", landmarks["sigma_m"], units.length)
    return facts + _left_out(quality["left_out"])


def facility_facts(quality: Mapping[str, Any]) -> list[Fact]:
    """Return what is worth knowing of floors, plan, signs and surface; nothing where the map was not asked for them."""
    facts = []
    for level in quality.get("floors", {}).get("levels", ()):
        height = f"{level['elevation']:.3f}{units.NO_BREAK}m, sigma {units.length(level['sigma_m'])}"
        facts.append((f"Level {level['level']}", f"at {height}, on {units.count(level['landmarks'])} landmarks"))
    for ramp in quality.get("floors", {}).get("ramps", ()):
        name = f"Ramp {ramp['from'] or 'from below'} to {ramp['to'] or 'above'}"
        facts.append((name, f"{ramp['length_m']:.1f}{units.NO_BREAK}m long, rises {units.length(ramp['rise_m'])}"))
    plan = quality.get("plan")
    if plan:
        doubts = len(plan["disagreements"]) + len(plan["remarks"]) + len(plan["warnings"])
        facts.append(("Plan", f"{plan['source']}, {plan['stalls']} stalls, {doubts or 'no'} remarks"))
    signs = quality.get("signs", {})
    if signs.get("claimed"):
        facts.append(("Texts read", ", ".join(signs["claimed"])))
    surface = quality.get("surface", {})
    if "seen_share" in surface:
        facts.append(("Surface", f"{units.share(surface['seen_share'])} of its texture seen by photos"))
    if quality.get("telltales", {}).get("found"):
        facts.append(("Levels differ at", "; ".join(quality["telltales"]["found"])))
    parts = ("floors", "marks", "signs", "textures", "telltales", "surface")
    skipped = ((part, quality.get(part, {}).get("skipped")) for part in parts)
    return facts + [(f"No {part}", str(why)) for part, why in skipped if why]


def evaluation_facts(evaluation: Mapping[str, Any]) -> list[Fact]:
    """Return what is worth knowing of an evaluation beyond the rows of the table."""
    facts = [
        (f"Within {bound}".replace(" deg", "°"), units.share(part)) for bound, part in evaluation["recall"].items()
    ]
    wrong = evaluation["wrong_but_confident"]
    facts.append(("Wrong but confident", f"{wrong} of {evaluation['localized']}" if wrong else "none"))
    taken = evaluation["seconds"]
    return [*facts, ("Median time a photo", units.seconds(taken["median"]))] if taken else facts


def _left_out(check: Mapping[str, Any]) -> list[Fact]:
    facts = [
        (
            "Left-out check",
            f"of {check['images']} map images, each localized in the map without it, {check['localized']} were found",
        )
    ]
    facts += _spread("Left-out position error", check["position_error_m"], units.length)
    facts += _spread("Left-out direction error", check["rotation_error_deg"], units.angle)
    return [*facts, ("Claims widened", _widened(check["covariance_scale"]))]


def _widened(scale: float) -> str:
    another_day = LocalizerOptions().another_day
    at_once = f"covariances times {scale:.2f}, as that check asks"
    return f"{at_once}; {another_day:g} times more those of answers, for other days"


def _spread(name: str, percentiles: Mapping[str, float] | None, show: Any) -> list[Fact]:
    if percentiles is None:
        return []
    median, p90, largest = (show(percentiles[key]) for key in ("median", "p90", "max"))
    return [(name, f"median {median}, 90{units.NO_BREAK}% below {p90}, largest {largest}")]
