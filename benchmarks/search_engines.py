"""The same random calls on every engine, beside the oracle; and a writer killed again and again.

Milvus is a real standalone server of 2.3.5 where one can be run (``pip install --no-deps milvus==2.3.5``). OpenSearch
is a stand-in written from its documentation: it says that our calls are right, and nothing about recall or speed.

    python -m benchmarks.search_engines [--operations 2000] [--kills 50] [--engines exact,plan,milvus,opensearch]
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.protocol import ROOT, describe_machine, print_table, write_results
from retrieval.stores.embedded import EmbeddedStore
from retrieval.stores.schema import Schema
from retrieval.stores.store import Store
from tests.retrieval.stores import milvus_server, opensearch_standin
from tests.retrieval.stores.congruence import make_schema, run
from tests.retrieval.stores.killing import Expectation, write_and_kill

DIMENSION, INITIAL, SEED = 32, 3000, 11
EXACT_UP_TO = 200
"""Of the engine that plans, so that few rows show it."""


def main() -> None:
    """Run all engines and write what differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--operations", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--engines", default="exact,plan,milvus,opensearch")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "search_engines.json")
    arguments = parser.parse_args()
    machine = describe_machine()
    found: dict[str, Any] = {}
    for name in filter(None, arguments.engines.split(",")):
        found[name] = judge(name, arguments.operations)
        print_table([name, ""], [[key, str(value)] for key, value in found[name].items()])
    kills = kill(arguments.kills) if arguments.kills else None
    print(f"kills: {kills}")
    write_results(arguments.out, {"engines": found, "kills": kills}, machine)


def judge(name: str, operations: int) -> dict[str, Any]:
    """Return what differed between an engine and the oracle."""
    if name == "milvus" and (absent := milvus_server.missing()):
        return {"absent": absent}
    index = "flat" if name == "exact" else "auto"
    schema = make_schema(f"congruence_{name}", DIMENSION, index=index, exact_up_to=EXACT_UP_TO)
    begun = time.perf_counter()
    with TemporaryDirectory() as folder, opened(name, Path(folder), schema) as store:
        done = run(store, schema, np.random.default_rng(SEED), operations, initial=INITIAL)
    return {
        "operations": done.operations,
        "differences": len(done.differences),
        "first_differences": done.differences[:5],
        "exact_searches": done.exact_searches,
        "approximate_searches": len(done.recall),
        "recall": float(np.mean(done.recall)) if done.recall else None,
        "recall_filtered": float(np.mean(done.filtered)) if done.filtered else None,
        "worst_recall": float(np.min(done.recall)) if done.recall else None,
        "seconds": time.perf_counter() - begun,
        "real_engine": name != "opensearch",
    }


@contextmanager
def opened(name: str, folder: Path, schema: Schema) -> Iterator[Store]:
    """Open an engine that holds nothing."""
    if name in ("exact", "plan"):
        store: Store = EmbeddedStore(folder)
        yield store
        store.close()
    elif name == "milvus":
        from retrieval.stores.milvus import MilvusStore

        with milvus_server.served(folder) as url:
            store = MilvusStore(url)
            yield store
            store.close()
    elif name == "opensearch":
        from retrieval.stores.opensearch import OpenSearchStore

        with opensearch_standin.served(opensearch_standin.Standin()) as url:
            store = OpenSearchStore(url)
            yield store
            store.close()
    else:
        raise SystemExit(f"there is no engine '{name}'")


def kill(times: int) -> dict[str, Any]:
    """Return what was wrong after each of so many kills of a writing process on one store."""
    expected, rng, faults, batches = Expectation(), np.random.default_rng(SEED), [], 0
    with TemporaryDirectory() as folder:
        for number in range(times):
            told = write_and_kill(Path(folder), expected.last + 1, float(rng.uniform(0.02, 1.2)))
            batches += len(told)
            expected.acknowledge(told)
            faults += [f"kill {number}: {fault}" for fault in expected.faults(Path(folder))]
    return {"kills": times, "acknowledged_writes": batches, "faults": len(faults), "first_faults": faults[:5]}


if __name__ == "__main__":
    main()
