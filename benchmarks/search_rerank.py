"""Find this vehicle among look-alikes: similarity alone, its usual re-rankings, and what is possible in the building.

Every n-th sighting that has another of its vehicle is a query, and asks a store for its 50 nearest. Truth leaves one
vehicle possible where no other of its look could have been the query without conflict with one of its true sightings.
Embeddings are simulated (``benchmarks.search_fleet``).

    python -m benchmarks.search_rerank --work DIR [--seeds 1,2,3] [--look-alikes 80]
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocol import ROOT, describe_machine, print_table, write_results
from benchmarks.search_fleet import DIMENSION, EMBEDDING, LOOK_ALIKES, Fleet, sightings_of, simulate_fleet
from retrieval.consistency import Site, compare
from retrieval.expansion import expanded_query, reciprocal_distances
from retrieval.rerank import rerank
from retrieval.sightings import Sightings, sightings_of_rows
from retrieval.stores.embedded import EmbeddedStore
from retrieval.stores.filters import IdIn, Not
from retrieval.stores.rows import checked_rows
from retrieval.stores.schema import SIGHTING_FIELDS, sighting_schema
from retrieval.stores.store import Collection, pages

CANDIDATES = 50
METHODS = ("none", "expansion", "k-reciprocal", "ours")
BINS = 10


def main() -> None:
    """Judge all methods on all seeds and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder where simulated fleets are kept")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--every", type=int, default=5, help="ask with every n-th sighting")
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--look-alikes", type=int, default=LOOK_ALIKES)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "search_rerank.json")
    arguments = parser.parse_args()
    machine = describe_machine()
    found: dict[str, Any] = {}
    answers: list[tuple[float, bool]] = []
    for seed in map(int, arguments.seeds.split(",")):
        for look_alikes in (arguments.look_alikes, 0):
            fleet = simulate_fleet(seed, arguments.work, look_alikes=look_alikes)
            rows, probabilities = judge(fleet, arguments.every)
            found[f"seed {seed}, {look_alikes} look-alikes"] = figures(rows, probabilities, fleet)
            if look_alikes:
                answers += probabilities
    content = {
        "embeddings": "simulated",
        "every": arguments.every,
        "calibration": calibration(answers),
        "runs": found,
    }
    show(found)
    print(f"calibration error {content['calibration']['error']:.3f} over {content['calibration']['answers']} answers")
    write_results(arguments.out, content, machine)


def judge(fleet: Fleet, every_nth: int = 1) -> tuple[list[dict[str, Any]], list[tuple[float, bool]]]:
    """Return a row for each query, or for every n-th, and the probability and truth of all answers of its look."""
    vehicles = [stay.vehicle for stay in fleet.stays]
    site = Site(fleet.plan, fleet.cameras, begin=fleet.begin, end=fleet.end)
    possible = possible_vehicles(fleet, site)
    rows: list[dict[str, Any]] = []
    answers: list[tuple[float, bool]] = []
    vehicle_of = dict(zip((stay.id for stay in fleet.stays), vehicles, strict=True))
    with TemporaryDirectory() as folder:
        store = EmbeddedStore(folder)
        collection = filled(store, fleet)
        every = sightings_by_id(collection)
        for number, stay in list(enumerate(fleet.stays))[::every_nth]:
            if vehicles.count(stay.vehicle) < 2:
                continue
            query, own = every[stay.id], stay.vehicle
            others = Not(IdIn((stay.id,)))
            (hits,) = collection.search(query.vectors, CANDIDATES, others)
            candidates = together([every[id] for id in hits.ids])
            moved = expanded_query(query.vectors[0], candidates.vectors[:5])
            (expanded,) = collection.search(moved[None], CANDIDATES, others)
            reciprocal = np.argsort(reciprocal_distances(query.vectors[0], candidates.vectors), kind="stable")
            begun = time.process_time()
            ours = rerank(query, candidates, site)
            seconds = time.process_time() - begun
            ranked = {
                "none": list(hits.ids),
                "expansion": list(expanded.ids),
                "k-reciprocal": [hits.ids[i] for i in reciprocal],
                "ours": [hits.ids[i] for i in ours.order],
            }
            by_vehicle: dict[str, float] = defaultdict(float)
            for id, probability in zip(hits.ids, ours.probability, strict=True):
                by_vehicle[vehicle_of[id]] = max(by_vehicle[vehicle_of[id]], float(probability))
            rows.append(
                {
                    "possible": len(possible[number]),
                    "alike": sum(look == fleet.looks[own] for look in fleet.looks.values()) > 1,
                    "right": {name: vehicle_of[ids[0]] == own for name, ids in ranked.items()},
                    "precision": {
                        name: _precision([vehicle_of[id] == own for id in ids]) for name, ids in ranked.items()
                    },
                    "both_listed": all(by_vehicle[each] >= 0.01 for each in possible[number]),
                    "seconds": seconds,
                    "why": ours.why[int(ours.order[0])],
                }
            )
            look = fleet.looks[own]
            answers += [
                (float(p), vehicle_of[id] == own)
                for id, p in zip(hits.ids, ours.probability, strict=True)
                if fleet.looks[vehicle_of[id]] == look
            ]
        store.close()
    return rows, answers


def possible_vehicles(fleet: Fleet, site: Site) -> list[set[str]]:
    """Return for each stay the vehicles of its look with which it has no conflict in truth; its own is one."""
    members: dict[int, list[int]] = defaultdict(list)
    for number, stay in enumerate(fleet.true_stays):
        members[fleet.looks[stay.vehicle]].append(number)
    found: list[set[str]] = [set() for _ in fleet.stays]
    for numbers in members.values():
        stays = [fleet.true_stays[number] for number in numbers]
        conflict = compare(site, sightings_of(stays, fleet.embeddings[numbers])).conflict
        names = np.array([stay.vehicle for stay in stays])
        for row, number in enumerate(numbers):
            own = fleet.true_stays[number].vehicle
            found[number] = {own} | {n for n in set(names.tolist()) if not conflict[row, names == n].any()}
    return found


def filled(store: EmbeddedStore, fleet: Fleet) -> Collection:
    """Return a collection of the fleet's sightings."""
    collection = store.create(sighting_schema("fleet", DIMENSION, EMBEDDING))
    stays = fleet.stays
    columns: dict[str, list[Any]] = {field.name: [None] * len(stays) for field in SIGHTING_FIELDS}
    columns |= {
        "facility": [fleet.plan.levels[0].id and "garage"] * len(stays),
        "camera": [stay.camera for stay in stays],
        "kind": ["vehicle"] * len(stays),
        "time": [stay.first for stay in stays],
        **{axis: [stay.start[i] for stay in stays] for i, axis in enumerate("xyz")},
    }
    meta = [{"first": s.first, "last": s.last, "start": list(s.start), "end": list(s.end)} for s in stays]
    collection.upsert(checked_rows(collection.schema, [s.id for s in stays], fleet.embeddings, columns, meta))
    return collection


def sightings_by_id(collection: Collection) -> dict[str, Sightings]:
    """Return every stored sighting."""
    found = {}
    for rows in pages(collection):
        sightings = sightings_of_rows(rows)
        found |= {id: sightings.take([i]) for i, id in enumerate(sightings.ids)}
    return found


def together(sightings: list[Sightings]) -> Sightings:
    """Return sightings as one."""
    return Sightings(
        ids=tuple(each.ids[0] for each in sightings),
        vectors=np.vstack([each.vectors for each in sightings]),
        first=np.concatenate([each.first for each in sightings]),
        last=np.concatenate([each.last for each in sightings]),
        start=np.vstack([each.start for each in sightings]),
        end=np.vstack([each.end for each in sightings]),
        camera=tuple(each.camera[0] for each in sightings),
        track=np.concatenate([each.track for each in sightings]),
    )


def figures(rows: list[dict[str, Any]], answers: list[tuple[float, bool]], fleet: Fleet) -> dict[str, Any]:
    """Return what a run found."""
    one = [row for row in rows if row["possible"] == 1]
    several = [row for row in rows if row["possible"] > 1]
    alike = [row for row in one if row["alike"]]
    return {
        "sightings": len(fleet.stays),
        "vehicles": len(fleet.looks),
        "queries": len(rows),
        "one_possible": len(one),
        "one_possible_of_look_alikes": len(alike),
        "several_possible": len(several),
        "top1_one_possible": _shares(one, "right"),
        "top1_one_possible_of_look_alikes": _shares(alike, "right"),
        "top1_several_possible": _shares(several, "right"),
        "several_possible_all_listed": float(np.mean([row["both_listed"] for row in several])) if several else None,
        "top1": _shares(rows, "right"),
        "mean_average_precision": _shares(rows, "precision"),
        "calibration": calibration(answers),
        "cpu_ms_a_query": 1e3 * float(np.median([row["seconds"] for row in rows])),
    }


def calibration(answers: list[tuple[float, bool]]) -> dict[str, Any]:
    """Return the expected calibration error (Guo et al. 2017, equal widths) and its bins."""
    if not answers:
        return {"answers": 0, "error": float("nan"), "bins": []}
    claimed, true = (np.array(each, dtype=np.float64) for each in zip(*answers, strict=True))
    which = np.minimum((claimed * BINS).astype(int), BINS - 1)
    bins = [
        (float(claimed[which == b].mean()), float(true[which == b].mean()), int((which == b).sum()))
        for b in set(which.tolist())
    ]
    error = sum(count * abs(mean - share) for mean, share, count in bins) / len(claimed)
    return {"answers": len(claimed), "error": float(error), "bins": sorted(bins)}


def show(found: dict[str, Any]) -> None:
    """Print the shares of right first answers."""
    rows: list[list[object]] = []
    for name, each in found.items():
        for label in ("top1_one_possible", "top1_one_possible_of_look_alikes", "top1_several_possible", "top1"):
            rows.append([f"{name}: {label}", *(each[label].get(method) for method in METHODS)])
    print_table(["", *METHODS], rows)


def _shares(rows: list[dict[str, Any]], key: str) -> dict[str, float]:
    return {name: float(np.mean([row[key][name] for row in rows])) for name in METHODS} if rows else {}


def _precision(hits: list[bool]) -> float:
    right: NDArray[np.float64] = np.array(hits, dtype=np.float64)
    if not right.any():
        return 0.0
    return float((np.cumsum(right) / np.arange(1, len(right) + 1) * right).sum() / right.sum())


if __name__ == "__main__":
    main()
