"""Why a candidate can or can't be the query's vehicle, in a sentence with its numbers."""

import numpy as np
from numpy.typing import NDArray

from retrieval.consistency import Pairs, Site
from retrieval.sightings import Sightings

Array = NDArray[np.float64]
QUERY = 0


def reason(site: Site, views: Sightings, pairs: Pairs, number: int, probability: float, others: list[int]) -> str:
    """Return why view ``number`` is of the vehicle of view 0 with this probability.

    others: views that probably are of that vehicle, which may speak against this one where the query doesn't
    """
    if pairs.same_track[QUERY, number]:
        return "is of the query's own track"
    if pairs.conflict[QUERY, number]:
        return conflict(site, views, pairs, QUERY, number, "")
    against = [other for other in others if pairs.conflict[other, number]]
    if against and probability < 0.5:
        return conflict(site, views, pairs, against[0], number, f"{views.ids[against[0]]}, probably the query's, ")
    first, second = sorted((QUERY, number), key=lambda each: views.first[each])
    gap = views.first[second] - views.last[first]
    way = f"{_place(site, views.end[first])} to {_place(site, views.start[second])}"
    if pairs.near[first, second] or gap <= 0:
        seen = f"is at the same place {gap:.0f} s apart" if gap > 0 else "is at the same place at the same time"
        return f"{seen}: {_word(probability)}"
    if pairs.passed[first, second]:
        camera = site.coverage.cameras[int(pairs.passed_by[first, second])]
        return f"{way} in {gap:.0f} s leads past {camera}, which saw nothing: {_word(probability)}"
    if probability < 0.5:
        return f"{way} in {gap:.0f} s is possible, but other answers fit better: {_word(probability)}"
    return f"{way} in {gap:.0f} s is possible: {_word(probability)}"


def conflict(site: Site, views: Sightings, pairs: Pairs, one: int, other: int, whose: str) -> str:
    """Return why two views can't be of one vehicle."""
    for still, moving in ((one, other), (other, one)):
        if pairs.elsewhere[still, moving]:
            who = f"{whose}stood" if still == one and whose else ("the query stood" if still == one else "it stood")
            until = views.last[still] - views.first[still]
            spot = _place(site, views.start[still])
            there = _place(site, views.start[moving])
            return f"{who} at {spot} for {until:.0f} s while the other was at {there}: impossible"
    if views.camera[one] == views.camera[other] and pairs.given[one, other] <= 0:
        return f"{views.camera[one]} saw {whose or 'the query '}and it at once: impossible"
    least, given = float(pairs.least[one, other]), float(pairs.given[one, other])
    first, second = sorted((one, other), key=lambda each: views.first[each])
    way = f"{_place(site, views.end[first])} to {_place(site, views.start[second])}"
    beside = f" (beside {whose.rstrip(', ')})" if whose else ""
    if not np.isfinite(least):
        return f"no lanes lead from {way}{beside}: impossible"
    return f"{way} takes {least:.0f} s at best; seen {given:.0f} s apart{beside}: impossible"


def _place(site: Site, place: Array) -> str:
    """Return the level and, where there is one, the stall of a place."""
    found = site.locator.locate(place[None])
    level, stall = int(found.level[0]), int(found.stall[0])
    if level < 0:
        return "somewhere off the plan"
    name = site.plan.levels[level].id
    return f"{name} stall {site.plan.stalls[stall].id}" if stall >= 0 else name


def _word(probability: float) -> str:
    return f"probability {probability:.2f}"
