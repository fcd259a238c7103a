"""Kill a writing process at a random instant and see what is in its store."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from retrieval.stores.embedded import EmbeddedStore
from retrieval.stores.store import pages
from tests.retrieval.stores.writer_process import BATCH, ids_of, shared_ids

ROOT = Path(__file__).parents[3]


def write_and_kill(folder: Path, first: int, seconds: float) -> list[str]:
    """Return what the process acknowledged, before it was killed ``seconds`` after it had opened the store."""
    command = [sys.executable, "-m", "tests.retrieval.stores.writer_process", str(folder), str(first)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    told = process.stdout.read().split("\n")[:-1]
    process.wait()
    process.stdout.close()
    return told


class Expectation:
    """What must be there after all that was acknowledged so far."""

    def __init__(self) -> None:
        self.batches: set[int] = set()
        self.last = -1

    def acknowledge(self, told: list[str]) -> None:
        for line in told:
            if line.startswith("-"):
                self.batches.discard(int(line[1:]))
            else:
                self.batches.add(int(line))
                self.last = int(line)

    def faults(self, folder: Path) -> list[str]:
        """Open the store and return what is wrong with it; what was under way may be there or not."""
        store = EmbeddedStore(folder)
        try:
            collection = store.open("killed")
            rows = {}
            for page in pages(collection, size=500):
                assert page.vectors is not None
                for i, id in enumerate(page.ids):
                    rows[id] = (page.columns["track"][i], page.vectors[i])
            nearest = collection.search(np.full((1, 8), self.last, dtype=np.float32), 1)[0]
        finally:
            store.close()
        return self._faults(rows, nearest.ids[0] if len(nearest) else None)

    def _faults(self, rows: dict[str, tuple[int, np.ndarray]], nearest: str | None) -> list[str]:
        found = [
            f"row {id}: track {track} with the vector {vector.tolist()}"
            for id, (track, vector) in rows.items()
            if not np.array_equal(vector, np.full(8, track, dtype=np.float32))
        ]
        there = {int(id.split("-")[0]) for id in rows if not id.startswith("shared")}
        begun = self.last + 1
        deleting = (self.last if self.last % 5 == 4 else begun) - 5  # the delete that may have been under way
        lost = self.batches - there - {deleting}
        if lost:
            found.append(f"acknowledged batches are lost: {sorted(lost)}")
        if there - self.batches - {begun}:
            found.append(f"deleted batches are there: {sorted(there - self.batches)}")
        for batch in there:
            present = sum(id in rows for id in ids_of(batch))
            if present != BATCH:
                found.append(f"batch {batch} is there by {present} rows of {BATCH}")
        shared = {rows[id][0] for id in shared_ids() if id in rows}
        if self.last >= 0 and (len(shared) != 1 or not shared <= {self.last, begun}):
            found.append(f"the replaced rows are of batches {shared}, not all of {self.last}")
        if self.last >= 0 and nearest is None:
            found.append("a search finds nothing")
        self.batches = there  # what was under way is settled now
        self.last = max(there, default=self.last)
        return found
