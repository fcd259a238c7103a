"""Whether two sightings can be of one vehicle, and how likely the later one is the vehicle's next, by the floor plan.

Two stays conflict if their ends can't be reached from one another in time (``TravelTimes``, which only bounds from
below), or if one stood still while the other was elsewhere, or if one camera saw both at once. What doesn't conflict
is weighed: a vehicle that stays is seen again where it stood, one that drives is seen soon after the least time by
whoever it must pass, one that parks is seen much later; strangers begin at gates, or anywhere, at any time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.floorplan import FloorPlan
from geometry.location import Locator
from geometry.records import FixedCamera
from geometry.travel_times import TravelTimes
from retrieval.coverage import Coverage
from retrieval.sightings import NO_TRACK, Sightings

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

NEVER_S = 1e6
"""A time that suffices for every way there is."""


@dataclass(frozen=True, kw_only=True)
class TransitOptions:
    """How vehicles behave between sightings; the defaults were fitted to the reference garage, seed 7.

    speeding: how much faster than the limits anybody drives; slack_s: by how much times may be wrong
    near_m: sightings closer than this are at one place; still_m, still_s: who moved less in a longer stay stood still
    stay, stay_still: share of next sightings at the same place, of those that moved and those that stood still
    park: share of those elsewhere that come after parking unseen
    stay_s, long_stay_s, drive_s, park_s: mean seconds beyond the least: of stays, half of them short and half long, of
        driving on, and of parking unseen
    miss: probability that a camera does not see a vehicle which passes it
    end: probability that no next sighting follows one that no camera can be avoided from on the way out
    leave: the same where one can get out unseen, moving; out: share of those who went
        out, of the ones that are seen again; away_s: mean seconds until they come back
    appear: share of first sightings neither at the beginning nor where one can come in unseen
    edge_s: what is at the recording's beginning or end
    """

    speeding: float = 1.5
    slack_s: float = 1.5
    near_m: float = 2.0
    still_m: float = 1.2
    still_s: float = 4.0
    stay: float = 0.05
    stay_still: float = 0.5
    park: float = 0.06
    stay_s: float = 15.0
    long_stay_s: float = 250.0
    drive_s: float = 4.0
    park_s: float = 200.0
    miss: float = 0.15
    end: float = 0.05
    leave: float = 0.6
    out: float = 0.7
    away_s: float = 150.0
    appear: float = 0.05
    edge_s: float = 3.0


class Site:
    """A facility prepared for comparing sightings, recorded from ``begin`` to ``end`` (epoch seconds)."""

    def __init__(
        self,
        plan: FloorPlan,
        cameras: Sequence[FixedCamera],
        *,
        begin: float,
        end: float,
        options: TransitOptions | None = None,
    ) -> None:
        """Tabulate travel times and what cameras see; ``InputError`` for a plan without lanes."""
        if not plan.lanes:
            raise InputError("the plan has no lanes, so nothing is known of travel times", remedy="Draw the lanes.")
        self.plan, self.begin, self.end = plan, begin, end
        self.options = options or TransitOptions()
        self.travel = TravelTimes.of(plan, speeding=self.options.speeding)
        self.coverage = Coverage.of(plan, cameras, speeding=self.options.speeding)
        self.locator = Locator(plan)
        self.places = max(1, len(plan.stalls))
        self.cameras = max(1, len(cameras))

    def from_outside(self, places: Array, camera: Sequence[str], *, coming: bool) -> Mask:
        """Return which places (N, 3) one can come to from a gate, or go out from, passing no camera but one's own."""
        found = np.zeros(len(places), dtype=bool)
        elevation = {level.id: level.elevation for level in self.plan.levels}
        names = np.array(self.coverage.cameras, dtype=object)
        own = names[None, :] == np.array(camera, dtype=object).reshape(-1, 1)
        for gate in self.plan.gates:
            if gate.direction in ("in" if coming else "out", "both"):
                middle = [*np.array(shapely.centroid(gate.line).coords)[0, :2], elevation[gate.level]]
                gates = np.tile(np.array(middle), (len(places), 1))
                starts, ends = (gates, places) if coming else (places, gates)
                never = np.full(len(places), NEVER_S)
                way = _times(self, starts, ends)
                passed = self.coverage.unavoidable(starts, ends, never) & ~own
                found |= np.isfinite(way) & ~passed.any(axis=1)
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """What is known of pairs of N sightings, row a and column b.

    conflict: (N, N) whether they can't be one vehicle; least, given: (N, N) seconds it takes at best from the one to
        the other and seconds there were, of the two ends that fit worst; nan where that isn't what counts
    elsewhere: (N, N) whether a stood still somewhere else during b
    link: (N, N) log-likelihood ratio that b, not earlier than a, is the next sighting of a's vehicle rather than the
        first of another's
    passed: (N, N) how many cameras would have had to see it on the way from a to b; passed_by: one of them, -1 none
    near: (N, N) whether b begins where a ends
    until: (N,) when each sighting ends; ends: (N,) log-probability that none follows; goes_on: (N,) that one does
    same_track: (N, N) known to be one object
    """

    conflict: Mask
    least: Array
    given: Array
    elsewhere: Mask
    link: Array
    passed: NDArray[np.int64]
    passed_by: NDArray[np.int64]
    near: Mask
    until: Array
    ends: Array
    goes_on: Array
    same_track: Mask


def compare(site: Site, sightings: Sightings) -> Pairs:
    """Compare all pairs of sightings of one site."""
    n, options = len(sightings), site.options
    least, given, conflict = _reachability(site, sightings)
    elsewhere = _stood_elsewhere(sightings, options)
    camera = np.array(sightings.camera)
    overlap = (sightings.first[:, None] <= sightings.last) & (sightings.first <= sightings.last[:, None])
    twice = overlap & (camera[:, None] == camera) & ~np.eye(n, dtype=bool)
    same_track = (sightings.track[:, None] == sightings.track) & (sightings.track != NO_TRACK)
    conflict = (conflict | elsewhere | elsewhere.T | twice) & ~same_track
    gap = np.maximum(sightings.first - sightings.last[:, None], 0.0)
    near = np.linalg.norm(sightings.end[:, None] - sightings.start, axis=2) <= options.near_m
    follows = (sightings.first >= sightings.first[:, None]) & ~conflict & ~np.eye(n, dtype=bool)
    way = np.zeros((n, n))
    a, b = np.nonzero(follows)
    way[a, b] = _times(site, sightings.end[a], sightings.start[b])
    passed, passed_by = _passed(site, sightings, gap, follows & (gap > 0) & ~near)
    link = _link(site, sightings, gap, way, near, passed)
    still = _stood_still(sightings, options)
    leaves = site.from_outside(sightings.end, sightings.camera, coming=False) & ~still
    probability = np.where(leaves, options.leave, options.end)
    probability = np.where(sightings.last >= site.end - options.edge_s, 1.0 - 1e-3, probability)
    return Pairs(
        conflict=conflict,
        least=least,
        given=given,
        elsewhere=elsewhere,
        link=link,
        passed=passed,
        passed_by=passed_by,
        near=near,
        until=sightings.last,
        ends=np.log(probability),
        goes_on=np.log1p(-probability),
        same_track=same_track,
    )


def _times(site: Site, starts: Array, ends: Array) -> Array:
    """Return the least seconds (N,), 0 within one place and where the plan knows nothing."""
    seconds = site.travel.between(starts, ends)
    here = np.linalg.norm(ends - starts, axis=1) <= site.options.near_m
    return np.where(here | np.isnan(seconds), 0.0, seconds)


def _reachability(site: Site, sightings: Sightings) -> tuple[Array, Array, Mask]:
    """Return of all pairs (N, N) the least and the given seconds of the ends that fit worst, and which don't fit."""
    times = np.stack([sightings.first, sightings.last])
    places = np.stack([sightings.start, sightings.end])
    a, b = np.triu_indices(len(sightings), 1)
    worst = np.full(len(a), -np.inf)
    least, given = np.zeros(len(a)), np.zeros(len(a))
    for x, y in product((0, 1), (0, 1)):
        later = times[y, b] >= times[x, a]
        start = np.where(later[:, None], places[x, a], places[y, b])
        end = np.where(later[:, None], places[y, b], places[x, a])
        needed, there = _times(site, start, end), np.abs(times[y, b] - times[x, a])
        take = needed - there > worst
        worst, least, given = np.where(take, (needed - there, needed, there), (worst, least, given))

    def square(values: Array) -> Array:
        table = np.zeros((len(sightings), len(sightings)))
        table[a, b] = table[b, a] = values
        return table

    return square(least), square(given), square(np.where(worst > site.options.slack_s, 1.0, 0.0)) > 0


def _passed(site: Site, sightings: Sightings, gap: Array, wanted: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return of the pairs wanted (N, N) how many other cameras had to be passed in between, and one of them."""
    count, which = np.zeros(wanted.shape, dtype=np.int64), np.full(wanted.shape, -1)
    a, b = np.nonzero(wanted)
    names, camera = np.array(site.coverage.cameras, dtype=object), np.array(sightings.camera, dtype=object)
    if not len(names) or not len(a):
        return count, which
    unseen = site.coverage.unavoidable(sightings.end[a], sightings.start[b], gap[a, b])
    unseen &= (names != camera[a][:, None]) & (names != camera[b][:, None])
    count[a, b] = unseen.sum(axis=1)
    which[a, b] = np.where(unseen.any(axis=1), unseen.argmax(axis=1), -1)
    return count, which


def _stood_still(sightings: Sightings, options: TransitOptions) -> Mask:
    moved = np.linalg.norm(sightings.end - sightings.start, axis=1)
    return np.asarray((moved <= options.still_m) & (sightings.last - sightings.first >= options.still_s))


def _stood_elsewhere(sightings: Sightings, options: TransitOptions) -> Mask:
    """Return (N, N) whether a stood still during the beginning or end of b, which was not there."""
    still = _stood_still(sightings, options)
    found = np.zeros((len(sightings), len(sightings)), dtype=bool)
    for times, places in ((sightings.first, sightings.start), (sightings.last, sightings.end)):
        # the first and last second of a stay may be of setting off and of arriving
        during = (times >= sightings.first[:, None] + 1.0) & (times <= sightings.last[:, None] - 1.0)
        away = np.linalg.norm(places - sightings.start[:, None], axis=2) > options.near_m + options.still_m
        found |= still[:, None] & during & away
    return found


def _link(site: Site, sightings: Sightings, gap: Array, way: Array, near: Mask, passed: NDArray[np.int64]) -> Array:
    """Return the log-likelihood ratios (N, N) of next against new, densities over seconds and places."""
    options = site.options
    excess = np.maximum(gap - np.where(np.isfinite(way), way, 0.0), 0.0)
    possible = np.isfinite(way)
    still = _stood_still(sightings, options)
    staying = np.where(still, options.stay_still, options.stay)[:, None]
    waited = (_falling(gap, options.stay_s) + _falling(gap, options.long_stay_s)) / 2
    driven = (1.0 - options.park) * _falling(excess, options.drive_s) * options.miss**passed
    parked = options.park * _falling(excess, options.park_s)
    # who parked unseen, and nobody knows where, is next seen by any camera; so is who drove
    moved = (1.0 - staying) * (driven + parked) / site.cameras
    same = np.where(near, staying * waited, 0.0) + np.where(possible, moved, 0.0)
    gone = (site.from_outside(sightings.end, sightings.camera, coming=False) & ~still)[:, None]
    comes = site.from_outside(sightings.start, sightings.camera, coming=True)
    back = _falling(excess, options.away_s) / site.cameras * np.where(comes, 1.0, options.appear)
    same = np.where(gone, (1.0 - options.out) * same + options.out * back, same)
    where = np.where(still, 1.0 / site.places, 1.0 / site.cameras)
    known = (sightings.first <= site.begin + options.edge_s) | comes
    new = np.where(known, 1.0, options.appear) * where / max(site.end - site.begin, 1.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(same) - np.log(new)[None, :])


def _falling(seconds: Array, mean: float) -> Array:
    return np.asarray(np.exp(-seconds / mean) / mean)
