"""Which pieces of tracks show one object: a graph of pieces, exact choices, and the numbers behind each of them.

Two kinds of edges carry log-odds of "one object" against "two". Pieces at one time are joined where they lie on each
other and no camera shows both at once; the choice is a maximum weight matching (Edmonds), repeated until nothing is
left. A piece that begins after another has ended may continue it, where it stayed or came by a way that takes so
long; the choice is the path cover of largest weight, an assignment problem.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from geometry.solids import Family
from perception.linking.paths import log_normal
from perception.tracking.parking import MIN_WIDTH_M

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
LeastTimes = Callable[[Family, Array, Array], Array]
"""From family, starts (N, 3) and ends (N, 3) to the least times (N,) in seconds, infinite for no way, NaN for
unknown."""


BOTH_SHOWN = 4.0
"""Frame after frame with both is much stronger evidence than the share of them alone."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """A part of a track.

    times: (K,) seconds; positions: (K, 3) site metres; covariances: (K, 2, 2); first_velocity, last_velocity: (2,) m/s
    size, size_covariance: (3,), (3, 3) metres; frames: (camera, time shown) of its boxes; embedding: (D,) unit or None
    """

    family: Family
    kind: str
    times: Array
    positions: Array
    covariances: Array
    size: Array
    size_covariance: Array
    frames: frozenset[tuple[str, float]]
    embedding: Array | None = None


@dataclass(frozen=True, kw_only=True)
class LinkOptions:
    """What edges are weighed against.

    exclusion_m: two people, two vehicles can't be nearer to each other than this
    both_seen: share of common frames in which one camera may show both, by false boxes, and they still are one
    one_room: log-odds of two cars or larger whose middles are within half of that all the time being one: a detector
        that draws two boxes around one is likelier than two in one place
    new_per_m2, new_per_s: new objects a square metre where something stood, and a second in a neighbourhood
    stay: share of objects that are found again where they were lost after more than a moment: parked vehicles;
        stay_sigma_m: how near to it; stay_s: time in which that becomes less likely by a factor of e
    lateness: mean and standard deviation of the logarithm of the time taken over the least time
    max_gap_s: longer absences are not bridged; min_odds: from which pieces are linked
    other_class: log-odds of another class in the same object
    appearance: log-odds for each unit of cosine above ``appearance_middle``, but at most ``appearance_most`` either
        way: less than what place and time can say, so that no likeness outvotes them. Vectors of each network want
        their own, which ``training.appearance`` fits
    """

    exclusion_m: dict[Family, float] = field(default_factory=lambda: {"person": 0.25, "vehicle": 0.9})
    both_seen: float = 0.1
    one_room: float = 12.0
    new_per_m2: float = 1e-3
    new_per_s: float = 0.05
    stay: dict[Family, float] = field(default_factory=lambda: {"person": 0.0, "vehicle": 0.3})
    stay_s: float = 120.0
    stay_sigma_m: float = 0.25
    lateness: tuple[float, float] = (0.3, 0.35)
    max_gap_s: float = 120.0
    min_odds: float = 1.0
    other_class: float = -2.0
    appearance: float = 8.0
    appearance_middle: float = 0.5
    appearance_most: float = 3.0


def size_spread(family: Family) -> Array:
    """Return how sizes differ between objects of a family, (3,) metres, to weigh likeness of size against."""
    return np.array([0.12, 0.12, 0.1]) if family == "person" else np.array([0.5, 0.15, 0.25])


def same_time_graph(pieces: Sequence[Piece], options: LinkOptions) -> nx.Graph:
    """Return the graph of pieces that overlap in time and space; edges carry ``odds`` and what they consist of."""
    graph = nx.Graph()
    graph.add_nodes_from(range(len(pieces)))
    for i, a in enumerate(pieces):
        for j in range(i + 1, len(pieces)):
            b = pieces[j]
            if a.family == b.family and a.times[0] <= b.times[-1] and b.times[0] <= a.times[-1]:
                terms = _same_time(a, b, options)
                if terms:
                    graph.add_edge(i, j, odds=sum(terms.values()), terms=terms)
    return graph


def _same_time(a: Piece, b: Piece, options: LinkOptions) -> dict[str, float]:
    """Return the log-odds of two pieces at one time being one object, by term; nothing if they are clearly apart."""
    begin, end = max(a.times[0], b.times[0]), min(a.times[-1], b.times[-1])
    times = np.unique(np.concatenate([each[(each >= begin) & (each <= end)] for each in (a.times, b.times)]))
    first, second = ([np.interp(times, p.times, p.positions[:, k]) for k in range(3)] for p in (a, b))
    offset = np.stack(first, axis=-1) - np.stack(second, axis=-1)
    distance = np.linalg.norm(offset, axis=1)
    limit = options.exclusion_m[a.family]
    if np.median(distance) > 2 * limit:
        return {}
    near = float((distance < limit).mean())
    both = len(a.frames & b.frames) / max(min(len(a.frames), len(b.frames)), 1)
    within = max(near, 1e-3)
    both_odds = float(np.log(options.both_seen / max(both, 1e-2)))
    terms = {
        "place": float(np.log(within / max(1 - near, 1e-3))),
        "no camera shows both": both_odds * (BOTH_SHOWN if both_odds < 0 else 1.0),
        "class": 0.0 if a.kind == b.kind else 0.5 * options.other_class,
    }
    if min(a.size[1], b.size[1]) >= MIN_WIDTH_M:
        terms["no room for both"] = options.one_room * float((distance < 0.5 * limit).mean())
    return terms | _appearance(a, b, options)


def merge(graph: nx.Graph, options: LinkOptions) -> list[tuple[int, int]]:
    """Return the pairs of one matching of largest weight among edges of at least ``min_odds``; marks edges as
    ``joined``."""
    good = nx.Graph(
        (i, j, {"weight": e["odds"]}) for i, j, e in graph.edges(data=True) if e["odds"] >= options.min_odds
    )
    chosen = {tuple(sorted(pair)) for pair in nx.max_weight_matching(good)}
    for i, j, edge in graph.edges(data=True):
        edge["joined"] = tuple(sorted((i, j))) in chosen
    return sorted(chosen)


def succession_graph(pieces: Sequence[Piece], least_times: LeastTimes, options: LinkOptions) -> nx.DiGraph:
    """Return the graph from pieces that end to pieces that begin later; edges carry ``odds``, ``terms`` and
    ``facts``."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(pieces)))
    begin, end = np.array([p.times[0] for p in pieces]), np.array([p.times[-1] for p in pieces])
    for family in ("person", "vehicle"):
        own = np.array([p.family == family for p in pieces], dtype=np.bool_)
        gap = begin - end[:, None]
        pairs = np.argwhere(own[:, None] & own & (gap > 0) & (gap <= options.max_gap_s))
        if len(pairs) == 0:
            continue
        starts = np.array([pieces[i].positions[-1] for i in pairs[:, 0]])
        ends = np.array([pieces[j].positions[0] for j in pairs[:, 1]])
        least = least_times("person" if family == "person" else "vehicle", starts, ends)
        for (i, j), time in zip(pairs.tolist(), least.tolist(), strict=True):
            terms, facts = _succession(pieces[i], pieces[j], time, options)
            if terms:
                graph.add_edge(i, j, odds=sum(terms.values()), terms=terms, facts=facts)
    return graph


def _succession(a: Piece, b: Piece, least: float, options: LinkOptions) -> tuple[dict[str, float], dict[str, float]]:
    """Return the log-odds of b continuing a, by term, and the facts they rest on; nothing where it can't."""
    gap = float(b.times[0] - a.times[-1])
    offset = b.positions[0] - a.positions[-1]
    spread = a.covariances[-1] + b.covariances[0] + options.stay_sigma_m**2 * np.eye(2)
    stay, stayed = options.stay[a.family], -np.inf
    if abs(offset[2]) < 1.0 and stay > 0:
        stayed = np.log(stay) + float(log_normal(offset[:2], spread)) - np.log(options.new_per_m2)
        stayed -= gap / options.stay_s
    came = -np.inf
    if np.isfinite(least):
        mean, sigma = options.lateness
        slack = float(np.sqrt(np.trace(spread))) / 2.0
        ratio = np.log(gap / max(least, 0.3))
        if gap > 0.8 * least - slack:
            came = np.log(1 - stay) - np.log(options.new_per_s) - 0.5 * ((ratio - mean) / sigma) ** 2
            came -= np.log(gap * sigma * np.sqrt(2 * np.pi))
    best = float(np.logaddexp(stayed, came))
    if not np.isfinite(best):
        return {}, {}
    terms = {
        "place and time": best,
        "size": _same_size(a, b),
        "class": 0.0 if a.kind == b.kind else options.other_class,
    }
    facts = {
        "gap_s": gap,
        "distance_m": float(np.linalg.norm(offset)),
        "least_s": least,
        "stayed": stayed,
        "came": came,
    }
    return terms | _appearance(a, b, options), facts


def _same_size(a: Piece, b: Piece) -> float:
    """Return the log-likelihood ratio of one size against two of the family's."""
    offset = a.size - b.size
    own = a.size_covariance + b.size_covariance + 0.03**2 * np.eye(3)
    return float(log_normal(offset, own) - log_normal(offset, own + 2 * np.diag(size_spread(a.family) ** 2)))


def _appearance(a: Piece, b: Piece, options: LinkOptions) -> dict[str, float]:
    if a.embedding is None or b.embedding is None:
        return {}
    likeness = float(a.embedding @ b.embedding) - options.appearance_middle
    most = options.appearance_most
    return {"appearance": float(np.clip(options.appearance * likeness, -most, most))}


def follow(graph: nx.DiGraph, options: LinkOptions) -> Indices:
    """Return for each piece the one that continues it, -1 for none: the path cover of largest sum of log-odds.

    Exact, a component at a time. Marks each edge as ``joined`` or names, as ``rival``, the joined one that excludes it.
    """
    following = np.full(len(graph), -1)
    good = [(i, j, e["odds"]) for i, j, e in graph.edges(data=True) if e["odds"] >= options.min_odds]
    split = nx.Graph((("end", i), ("begin", j)) for i, j, _ in good)
    odds = {(i, j): value for i, j, value in good}
    for component in nx.connected_components(split):
        rows = sorted(i for side, i in component if side == "end")
        columns = sorted(j for side, j in component if side == "begin")
        gain = np.array([[odds.get((i, j), 0.0) for j in columns] for i in rows])
        for r, c in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
            if gain[r, c] > 0:
                following[rows[r]] = columns[c]
    before = {int(j): i for i, j in enumerate(following.tolist()) if j >= 0}
    for i, j, edge in graph.edges(data=True):
        edge["joined"] = bool(following[i] == j)
        if not edge["joined"] and edge["odds"] >= options.min_odds:
            edge["rival"] = (i, int(following[i])) if following[i] >= 0 else (before[j], j)
    return following


def explain(graph: nx.Graph, i: int, j: int) -> dict[str, Any]:
    """Return why two pieces were joined or not: log-odds by term, the facts behind them, and the rival that won."""
    if not graph.has_edge(i, j):
        return {"joined": False, "why": "they are too far apart, in place or in time, or of different families"}
    edge = graph.edges[i, j]
    why = "the log-odds are high enough" if edge["joined"] else "the log-odds are too low"
    if "rival" in edge:
        why = f"{edge['rival'][0]} and {edge['rival'][1]} fit better"
    return {"why": why, **{key: value for key, value in edge.items() if key != "weight"}}
