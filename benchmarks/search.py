"""The embedded engine at a million vectors: recall, speed, memory, filters, writes while searching, and raw libraries.

Each part runs in a process of its own, so that memory is its own. Times of searches are of single queries on one
thread: by the wall, and by the thread's processor time, which a busy machine disturbs less.

    python -m benchmarks.search --work DIR [--rows 1000000] [--parts build,open,search,raw,writes,peers]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.protocol import ROOT, describe_machine, print_table, write_results
from benchmarks.search_data import SECONDS, Clusters, batches, search_schema
from retrieval.stores.candidates import depth_for
from retrieval.stores.embedded import EmbeddedStore
from retrieval.stores.filters import And, Eq, Filter, InPolygon, Range
from retrieval.stores.store import SearchOptions

DIMENSION, SEED, K = 256, 1, 10
QUERIES, FILTER_QUERIES = 1000, 200
WRITE_SECONDS, WRITE_RATE, WRITE_BATCH = 60.0, 2000.0, 100
PARTS = ("build", "open", "search", "raw", "writes", "peers")
PEER_ROWS = 100_000


def main() -> None:
    """Run the parts asked for and write their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--work", type=Path, help="folder for data and store, about 5 GB; a temporary one by default")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "search.json")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(globals()[f"{arguments.part}_part"](arguments.work, arguments.rows)))
        return
    machine = describe_machine()
    arguments.work = arguments.work or Path(tempfile.gettempdir()) / "tiepoint-search"
    arguments.work.mkdir(parents=True, exist_ok=True)
    prepare(arguments.work, arguments.rows)
    found: dict[str, Any] = {}
    for part in arguments.parts.split(","):
        command = [sys.executable, "-m", "benchmarks.search", "--work", str(arguments.work)]
        command += ["--rows", str(arguments.rows), "--part", part]
        load = os.getloadavg()[0]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{part}: {done.stderr}")
        told = {key: machine[key] for key in ("date", "commit", "command")} | {"load_before": load}
        found[part] = json.loads(done.stdout.splitlines()[-1]) | {"measured": told}
        _show(part, found[part])
    size = {"rows": arguments.rows, "dimension": DIMENSION, "k": K}
    write_results(arguments.out, size | _other_parts(arguments.out, size) | found, machine)


def _other_parts(path: Path, size: dict[str, Any]) -> dict[str, Any]:
    """Return the parts that were measured before at the same size; each says when, by which commit and command."""
    if not path.exists():
        return {}
    before = json.loads(path.read_text())
    same = all(before.get(key) == value for key, value in size.items())
    return {part: before[part] for part in PARTS if same and part in before}


def prepare(work: Path, rows: int) -> None:
    """Draw vectors and queries once."""
    if (work / "queries.npy").exists() and np.load(work / "vectors.npy", mmap_mode="r").shape == (rows, DIMENSION):
        return
    clusters = Clusters(DIMENSION, SEED)
    vectors = np.lib.format.open_memmap(work / "vectors.npy", mode="w+", dtype=np.float32, shape=(rows, DIMENSION))
    for start in range(0, rows, 50_000):
        vectors[start : start + 50_000] = clusters.draw(min(50_000, rows - start))
    chosen = np.random.default_rng(SEED).choice(rows, QUERIES // 2, replace=False)
    queries = np.vstack([clusters.seen_again(np.asarray(vectors[np.sort(chosen)])), clusters.draw(QUERIES // 2)])
    np.save(work / "more.npy", clusters.draw(int(WRITE_SECONDS * WRITE_RATE)))
    np.save(work / "truth.npy", faiss.knn(queries, np.asarray(vectors), K, metric=faiss.METRIC_INNER_PRODUCT)[1])
    np.save(work / "queries.npy", queries)


def build_part(work: Path, rows: int) -> dict[str, Any]:
    """Fill a new store and build its index."""
    vectors = np.load(work / "vectors.npy", mmap_mode="r")
    schema = search_schema("cars", DIMENSION)
    store = EmbeddedStore(work / "store")
    if store.names():
        store.drop("cars")
    collection = store.create(schema)
    wall, cpu = time.perf_counter(), time.process_time()
    collection._wake_if_due = lambda: None  # type: ignore[method-assign]  # build once, with all threads, at the end
    for part in batches(schema, vectors[:rows], SEED):
        collection.upsert(part)
    written_wall, written_cpu = time.perf_counter() - wall, time.process_time() - cpu
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    collection.build()
    figures = {
        "seconds": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "write_s": written_wall,
        "write_cpu_s": written_cpu,
        "memory_mb": _memory_mb(),
        "statistics": vars(collection.statistics()),
    }
    store.close()
    return figures


def open_part(work: Path, rows: int) -> dict[str, Any]:
    """Open the store, with all checksums, and search once."""
    queries = np.load(work / "queries.npy")
    before = _memory_mb()
    wall, cpu = time.perf_counter(), time.process_time()
    collection = EmbeddedStore(work / "store").open("cars")
    opened = time.perf_counter() - wall, time.process_time() - cpu
    collection.search(queries[:1], K)
    first = time.perf_counter() - wall
    for query in queries:
        collection.search(query[None], K)
    return {
        "open_s": opened[0],
        "open_cpu_s": opened[1],
        "first_answer_s": first,
        "memory_mb": _memory_mb(),
        "memory_before_mb": before,
        "rows": collection.count(),
    }


def search_part(work: Path, rows: int) -> dict[str, Any]:
    """Search one query at a time, without and with filters."""
    queries, truth = np.load(work / "queries.npy"), np.load(work / "truth.npy")
    collection = EmbeddedStore(work / "store").open("cars")
    vectors = np.load(work / "vectors.npy", mmap_mode="r")
    figures: dict[str, Any] = {}
    for effort in (0.5, 1.0, 2.0):
        options = SearchOptions(effort=effort)
        answers: list[Any] = []
        times = _times(
            lambda q, options=options, answers=answers: answers.append(collection.search(q, K, None, options)[0]),
            queries,
        )
        found = [[int(id[1:]) for id in hits.ids] for hits in answers]
        figures[f"effort {effort:g}"] = times | {"recall_at_10": _recall(found, truth)}
    square = InPolygon(((100.0, 100.0), (800.0, 50.0), (900.0, 900.0), (60.0, 700.0)))
    filters: dict[str, list[Filter]] = {
        "50 %": [Eq("level", f"P{i % 2}") for i in range(FILTER_QUERIES)],
        "1 %": [Eq("camera", f"c{i % 100}") for i in range(FILTER_QUERIES)],
        "0.01 %": [Eq("zone", f"z{37 * i}") for i in range(FILTER_QUERIES)],
        "10 %": [Eq("facility", f"f{i % 10}") for i in range(FILTER_QUERIES)],
        "26 %: level, time, polygon": [
            And((Eq("level", f"P{i % 2}"), Range("time", 0.0, 0.9 * SECONDS), square)) for i in range(FILTER_QUERIES)
        ],
    }
    asked = np.random.default_rng(SEED).choice(len(queries), FILTER_QUERIES, replace=False)
    for name, each in filters.items():
        answers = []
        pairs = list(zip(queries[asked], each, strict=True))
        times = _times(
            lambda pair, answers=answers: answers.append(collection.search(pair[0][None], K, pair[1])[0]), pairs
        )
        found = [[int(id[1:]) for id in hits.ids] for hits in answers]
        wanted, counts = _filtered_truth(collection, vectors, pairs)
        short = sum(len(f) < min(K, n) for f, n in zip(found, counts, strict=True))
        figures[f"filter {name}"] = times | {
            "recall_at_10": _recall(found, wanted),
            "kept_share": float(np.mean(counts) / rows),
            "answers_too_short": short,
            "exact": bool(answers[0].exact),
        }
    return figures


def raw_part(work: Path, rows: int) -> dict[str, Any]:
    """Search the same index with the same probes by ours and by FAISS alone, in turns, in one process.

    FAISS has all vectors in memory and returns row numbers; ours returns ids and checks what it is given.
    """
    queries, truth = np.load(work / "queries.npy"), np.load(work / "truth.npy")
    collection = EmbeddedStore(work / "store").open("cars")
    folder = work / "store" / "cars"
    told = json.loads((folder / "checkpoint.json").read_bytes())["index"]
    base = faiss.read_index(str(folder / told["file"]))
    flat = faiss.IndexFlatIP(DIMENSION)
    flat.add(np.load(work / "vectors.npy"))
    index = faiss.IndexRefine(base, flat)
    index.k_factor = depth_for(K) / K
    base.nprobe = told["probes"]
    faiss.omp_set_num_threads(1)
    found: dict[str, list[Any]] = {"faiss": [], "ours": []}
    cpus: dict[str, list[float]] = {"faiss": [], "ours": []}
    for turn in range(2):  # the first one warms up
        for query in queries:
            for name in ("faiss", "ours"):
                cpu = time.thread_time()
                if name == "faiss":
                    answer = index.search(query[None], K)[1][0].tolist()
                else:
                    answer = collection.search(query[None], K)[0].ids
                if turn:
                    cpus[name].append(time.thread_time() - cpu)
                    found[name].append(answer)
    found["ours"] = [[int(id[1:]) for id in ids] for ids in found["ours"]]
    medians = {name: float(np.median(values)) for name, values in cpus.items()}
    return {
        "recall_at_10": {name: _recall(found[name], truth) for name in found},
        "cpu_ms": {name: _percentiles(values) for name, values in cpus.items()},
        "overhead_of_medians": medians["ours"] / medians["faiss"] - 1.0,
        "probes": told["probes"],
        "k_factor": index.k_factor,
    }


def writes_part(work: Path, rows: int) -> dict[str, Any]:
    """Upsert batches of 100 for a minute, a tenth of the rows in place of others, while searching."""
    queries, more = np.load(work / "queries.npy"), np.load(work / "more.npy")
    store = EmbeddedStore(work / "store")
    collection = store.open("cars")
    schema, acknowledged, ended = collection.schema, [], []

    def write() -> None:
        start = time.perf_counter()
        for number, part in enumerate(batches(schema, more, SEED, WRITE_BATCH, first=rows - rows // 10)):
            begun = time.perf_counter()
            collection.upsert(part)
            acknowledged.append(time.perf_counter() - begun)
            ahead = (number + 1) * WRITE_BATCH / WRITE_RATE - (time.perf_counter() - start)
            if ahead > 0:
                time.sleep(ahead)
        ended.append(time.perf_counter() - start)

    writer = Thread(target=write)
    writer.start()
    waited = []
    while writer.is_alive():
        query = queries[len(waited) % len(queries)]
        begun = time.perf_counter()
        collection.search(query[None], K)
        waited.append(time.perf_counter() - begun)
    writer.join()
    statistics = vars(collection.statistics())
    store.close()
    store = EmbeddedStore(work / "store")
    kept = store.open("cars").count()
    store.close()
    return {
        "rows_written": len(more),
        "seconds": ended[0],
        "rows_per_s": len(more) / ended[0],
        "batch_ms": _percentiles(acknowledged),
        "searches": len(waited),
        "search_ms": _percentiles(waited),
        "statistics": statistics,
        "rows_after_reopening": kept,
    }


def peers_part(work: Path, rows: int) -> dict[str, Any]:
    """Compare libraries at fewer rows: HNSW of faiss, hnswlib and usearch, M 32, construction 100, beside ours."""
    vectors = np.load(work / "vectors.npy", mmap_mode="r")[: min(rows, PEER_ROWS)].copy()
    queries = np.load(work / "queries.npy")
    truth = faiss.knn(queries, vectors, K, metric=faiss.METRIC_INNER_PRODUCT)[1]
    figures: dict[str, Any] = {"rows": len(vectors)}
    store = EmbeddedStore(work / "peers")
    if store.names():
        store.drop("cars")
    schema = search_schema("cars", DIMENSION)
    collection = store.create(schema)
    cpu = time.process_time()
    for part in batches(schema, vectors, SEED):
        collection.upsert(part)
    collection.build()
    built = time.process_time() - cpu
    found: list[Any] = []
    times = _times(lambda q: found.append([int(id[1:]) for id in collection.search(q, K)[0].ids]), queries)
    figures["tiepoint embedded"] = times | {"recall_at_10": _recall(found, truth), "build_cpu_s": built}
    store.close()
    for name, make in (("faiss HNSW32", _faiss_hnsw), ("hnswlib", _hnswlib), ("usearch", _usearch)):
        try:
            cpu = time.process_time()
            search = make(vectors)
        except ImportError as error:
            figures[name] = {"absent": str(error)}
            continue
        built, found = time.process_time() - cpu, []
        times = _times(lambda q, search=search, found=found: found.append(search(q)), queries)
        figures[name] = times | {"recall_at_10": _recall(found, truth), "build_cpu_s": built}
    return figures


def _faiss_hnsw(vectors: NDArray[np.float32]) -> Callable[[Any], list[int]]:
    index = faiss.IndexHNSWFlat(DIMENSION, 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = 100, 32
    faiss.omp_set_num_threads(1)
    index.add(vectors)
    return lambda q: index.search(q, K)[1][0].tolist()


def _hnswlib(vectors: NDArray[np.float32]) -> Callable[[Any], list[int]]:
    import hnswlib

    index = hnswlib.Index(space="ip", dim=DIMENSION)
    index.init_index(max_elements=len(vectors), M=32, ef_construction=100)
    index.set_num_threads(1)
    index.add_items(vectors)
    index.set_ef(32)
    return lambda q: index.knn_query(q, K)[0][0].tolist()


def _usearch(vectors: NDArray[np.float32]) -> Callable[[Any], list[int]]:
    from usearch.index import Index

    index = Index(ndim=DIMENSION, metric="ip", connectivity=32, expansion_add=100, expansion_search=32)
    index.add(np.arange(len(vectors)), vectors, threads=1)
    return lambda q: index.search(q[0], K).keys.tolist()


def _times(search: Callable[[Any], Any], queries: Any) -> dict[str, Any]:
    """Search each query alone, after some to warm up, and return rates and times by the wall and by the processor."""
    single = [query[None] if isinstance(query, np.ndarray) else query for query in queries]
    for query in single[:50]:
        search(query)
    _forget(search)
    walls, cpus = [], []
    for query in single:
        wall, cpu = time.perf_counter(), time.thread_time()
        search(query)
        cpus.append(time.thread_time() - cpu)
        walls.append(time.perf_counter() - wall)
    return {
        "queries_per_s": len(walls) / sum(walls),
        "queries_per_cpu_s": len(cpus) / sum(cpus),
        "ms": _percentiles(walls),
        "cpu_ms": _percentiles(cpus),
    }


def _forget(search: Callable[[Any], Any]) -> None:
    """Empty the list of answers that a search appends to, as warming up filled it."""
    kept = [*(search.__defaults__ or ()), *(cell.cell_contents for cell in search.__closure__ or ())]
    for each in kept:
        if isinstance(each, list):
            each.clear()


def _recall(found: list[list[int]], truth: Any) -> float:
    return float(np.mean([len(set(f) & set(map(int, t))) / max(1, len(t)) for f, t in zip(found, truth, strict=True)]))


def _filtered_truth(collection: Any, vectors: Any, pairs: list[Any]) -> tuple[list[list[int]], list[int]]:
    """Return by numpy the best rows that pass, and how many pass; rows are numbered as they were written."""
    wanted, counts, known = [], [], {}
    for query, filter in pairs:
        if filter not in known:
            known[filter] = np.flatnonzero(collection._passing(filter))
        rows = known[filter]
        scores = vectors[rows] @ query if len(rows) < 100_000 else (vectors @ query)[rows]
        wanted.append(rows[np.argsort(-scores, kind="stable")[:K]].tolist())
        counts.append(len(rows))
    return wanted, counts


def _percentiles(seconds: list[float]) -> dict[str, float]:
    values = 1e3 * np.array(seconds)
    return {name: float(np.percentile(values, q)) for name, q in (("p50", 50), ("p90", 90), ("p99", 99), ("max", 100))}


def _memory_mb() -> dict[str, float]:
    """Return what the process holds now and held at most, and how much of it is cache of files that others may take."""
    lines = Path("/proc/self/status").read_text().splitlines()
    told = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.endswith("kB")}
    names = {"VmRSS": "resident", "VmHWM": "peak", "RssAnon": "own", "RssFile": "of_files"}
    return {name: told[key] for key, name in names.items() if key in told}


def _show(part: str, figures: dict[str, Any]) -> None:
    rows = [
        [name, f"{value:.3g}" if isinstance(value, float) else json.dumps(value)] for name, value in figures.items()
    ]
    print_table([part, ""], rows)


if __name__ == "__main__":
    main()
