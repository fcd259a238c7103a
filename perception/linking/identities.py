"""From tracklets to identities: relinked, joined where they lie on each other, and followed through what no camera
sees."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from geometry.ground_surface import GroundSurface
from geometry.solids import size_prior
from perception.appearance.pooling import pool
from perception.linking.links import (
    LeastTimes,
    LinkOptions,
    Piece,
    follow,
    merge,
    same_time_graph,
    succession_graph,
)
from perception.linking.paths import Points
from perception.linking.relinking import RelinkOptions, relink
from perception.tracking.options import TrackerOptions
from perception.tracking.smoothing import Chain, Trajectory, chain_of, smoothed
from perception.tracking.tracks import Seen, Tracklet

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

STAYED_M = 0.7
"""An object that is found again within this has stayed; where it was in the meantime is known."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Identity:
    """One object: its chains of boxes, in the order of time, and their trajectories."""

    kind: str
    chains: tuple[Chain, ...]
    trajectories: tuple[Trajectory, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Linked:
    """What linking found.

    pieces: index of the identity of each piece, in the order of ``succession``'s nodes
    same_time: the graphs of each round of joining; succession: the graph of who continues whom
    """

    identities: tuple[Identity, ...]
    pieces: Indices
    same_time: tuple[nx.Graph, ...]
    succession: nx.DiGraph


@dataclass(frozen=True, kw_only=True)
class LinkingOptions:
    """Options of the three steps."""

    relink: RelinkOptions = field(default_factory=RelinkOptions)
    link: LinkOptions = field(default_factory=LinkOptions)


def identities(
    tracklets: Sequence[Tracklet],
    ground: GroundSurface,
    least_times: LeastTimes,
    tracker: TrackerOptions,
    options: LinkingOptions,
) -> Linked:
    """Link the tracklets of a whole recording."""
    chains = relinked(tracklets, tracker, options.relink)
    trajectories = smoothed(chains, ground, tracker)
    rounds = []
    for _ in range(8):
        graph = same_time_graph([_piece(c, t, ground) for c, t in zip(chains, trajectories, strict=True)], options.link)
        pairs = merge(graph, options.link)
        rounds.append(graph)
        if not pairs:
            break
        chains, trajectories = _joined(chains, trajectories, pairs, ground, tracker)
    order = np.argsort([chain.times[0] for chain in chains], kind="stable").tolist()
    chains, trajectories = [chains[i] for i in order], [trajectories[i] for i in order]
    pieces = [_piece(c, t, ground) for c, t in zip(chains, trajectories, strict=True)]
    succession = succession_graph(pieces, least_times, options.link)
    following = follow(succession, options.link)
    found, owner = _followed(chains, trajectories, following, ground, tracker)
    return Linked(identities=tuple(found), pieces=owner, same_time=tuple(rounds), succession=succession)


def relinked(tracklets: Sequence[Tracklet], tracker: TrackerOptions, options: RelinkOptions) -> list[Chain]:
    """Return the chains of instants after ``relink``."""
    steps = [(i, k) for i, tracklet in enumerate(tracklets) for k in range(len(tracklet.times))]
    if not steps:
        return []
    walks = np.array([tracklets[i].family == "person" for i, _ in steps])
    person, vehicle = tracker.person, tracker.vehicle
    points = Points(
        time=np.array([tracklets[i].times[k] for i, k in steps]),
        position=np.array([tracklets[i].points[k] for i, k in steps]),
        covariance=np.array([tracklets[i].spreads[k] for i, k in steps]),
        level=np.array([tracklets[i].levels[k] for i, k in steps]),
        walks=walks,
        usual=np.where(walks, person.acceleration, vehicle.acceleration),
        sudden=np.where(walks, person.sudden, vehicle.sudden),
    )
    ends = np.cumsum([len(tracklet.times) for tracklet in tracklets]) - 1
    following = np.arange(1, len(steps) + 1)
    following[ends] = -1
    following = relink(points, following, options)
    begins = np.setdiff1d(np.arange(len(steps)), following)
    chains = []
    for begin in begins.tolist():
        members, at = [], begin
        while at >= 0:
            members.append(steps[at])
            at = int(following[at])
        chains.append(chain_of(tracklets, members))
    return chains


def union(a: Chain, b: Chain) -> Chain:
    """Return the chain of all boxes of two; of two boxes of one camera at one instant the likelier one."""
    boxes: dict[float, dict[str, Seen]] = {}
    for chain in (a, b):
        for time, group in zip(chain.times.tolist(), chain.boxes, strict=True):
            at = boxes.setdefault(time, {})
            for each in group:
                if each.camera not in at or at[each.camera].log_odds < each.log_odds:
                    at[each.camera] = each
    first, longer = (a, b) if a.times[0] <= b.times[0] else (b, a), max(a, b, key=lambda chain: len(chain.times))
    times = sorted(boxes)
    return replace(
        first[0],
        kind=longer.kind,
        times=np.array(times),
        boxes=tuple(tuple(boxes[time].values()) for time in times),
    )


def _joined(
    chains: list[Chain],
    trajectories: list[Trajectory],
    pairs: list[tuple[int, int]],
    ground: GroundSurface,
    tracker: TrackerOptions,
) -> tuple[list[Chain], list[Trajectory]]:
    gone = {index for pair in pairs for index in pair}
    new = [union(chains[i], chains[j]) for i, j in pairs]
    kept = [index for index in range(len(chains)) if index not in gone]
    return (
        [*(chains[i] for i in kept), *new],
        [*(trajectories[i] for i in kept), *smoothed(new, ground, tracker)],
    )


def _followed(
    chains: list[Chain],
    trajectories: list[Trajectory],
    following: Indices,
    ground: GroundSurface,
    tracker: TrackerOptions,
) -> tuple[list[Identity], Indices]:
    """Return identities along the path cover, and which of them each chain belongs to."""
    owner = np.full(len(chains), -1)
    found: list[Identity] = []
    for begin in np.setdiff1d(np.arange(len(chains)), following).tolist():
        parts, at = [chains[begin]], begin
        owner[begin] = len(found)
        paths = [trajectories[begin]]
        while (after := int(following[at])) >= 0:
            owner[after] = len(found)
            moved = trajectories[after].means[0, :2] - trajectories[at].means[-1, :2]
            if np.linalg.norm(moved) < STAYED_M:
                parts[-1] = union(parts[-1], chains[after])
                paths[-1:] = smoothed([parts[-1]], ground, tracker)
            else:
                parts.append(chains[after])
                paths.append(trajectories[after])
            at = after
        kind = max(parts, key=lambda chain: len(chain.times)).kind
        found.append(Identity(kind=kind, chains=tuple(parts), trajectories=tuple(paths)))
    return found, owner


def _piece(chain: Chain, trajectory: Trajectory, ground: GroundSurface) -> Piece:
    z, _ = ground.height(trajectory.levels, trajectory.means[:, :2])
    surest = int(np.trace(trajectory.covariances[:, 5:, 5:], axis1=1, axis2=2).argmin())
    described = [
        (each.embedding, each.box, each.camera) for group in chain.boxes for each in group if each.embedding is not None
    ]
    return Piece(
        family=size_prior(chain.kind).family,
        kind=chain.kind,
        times=trajectory.times,
        positions=np.column_stack([trajectory.means[:, :2], z]),
        covariances=trajectory.covariances[:, :2, :2],
        size=trajectory.means[surest, 5:],
        size_covariance=trajectory.covariances[surest, 5:, 5:],
        frames=frozenset((each.camera, each.shown) for group in chain.boxes for each in group),
        embedding=pool(*zip(*described, strict=True)) if described else None,
    )
