"""What is kept beside the database so that a collection opens fast: columns, vectors and index of its first rows.

It can be deleted at any time. A manifest names the files with their sha256 and is replaced last, so that a crash leaves
the old checkpoint or the new one; whatever doesn't fit its checksum is made again from the database.
"""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from geometry.tables import write_atomic
from retrieval.stores.candidates import CandidateIndex
from retrieval.stores.columns import Columns
from retrieval.stores.schema import Metric
from retrieval.stores.vector_file import BLOCK, VectorFile

LOG = logging.getLogger(__name__)
MANIFEST = "checkpoint.json"
FORMAT = 1
HASHING_THREADS = 2


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What was read: rows 0 to ``rows`` - 1, the numbers of vector blocks that must be made again, and the index."""

    rows: int
    arrays: dict[str, NDArray[Any]]
    broken_blocks: tuple[int, ...]
    index: CandidateIndex | None


def write_checkpoint(folder: Path, columns: Columns, vectors: VectorFile, index: CandidateIndex | None) -> None:
    """Write all rows of columns and vectors, and the index, and then let the manifest name them."""
    rows = len(vectors)
    columns_file = folder / f"columns-{rows}.npz"
    with open(columns_file, "wb") as written:
        np.savez(written, **{name: values.copy() for name, values in columns.arrays().items()})  # type: ignore[arg-type]
        written.flush()
        os.fsync(written.fileno())
    vectors.sync()
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "rows": rows,
        "columns": {"file": columns_file.name, "sha256": _sha256_of(columns_file)},
        "blocks": _block_hashes(vectors, rows),
        "index": None,
    }
    if index is not None:
        index_file = folder / f"index-{rows}.faiss"
        faiss.write_index(index.index, str(index_file))
        with open(index_file, "rb") as written_index:
            os.fsync(written_index.fileno())
        manifest["index"] = {
            "file": index_file.name,
            "sha256": _sha256_of(index_file),
            "covered": index.covered,
            "probes": index.probes,
            "trained_on": index.trained_on,
            "recall": index.recall,
        }
    write_atomic(folder / MANIFEST, json.dumps(manifest).encode())
    named = {columns_file.name} | ({manifest["index"]["file"]} if manifest["index"] else set())
    for file in [*folder.glob("columns-*.npz"), *folder.glob("index-*.faiss")]:
        if file.name not in named:
            file.unlink()


def read_checkpoint(folder: Path, dimension: int, metric: Metric) -> Checkpoint | None:
    """Return the checkpoint of a folder, or None where there is none that can be used; what is damaged is logged."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        if manifest["format"] != FORMAT:
            return None
        rows = int(manifest["rows"])
        columns_file = folder / manifest["columns"]["file"]
        _require_sha256(columns_file, manifest["columns"]["sha256"])
        with np.load(columns_file, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        if len(arrays["id_ends"]) != rows + 1:
            raise ValueError(f"{len(arrays['id_ends']) - 1} rows, not {rows}")
        vectors = VectorFile(folder, dimension, rows)
        found = _block_hashes(vectors, rows)
        broken = tuple(i for i, (a, b) in enumerate(zip(found, manifest["blocks"], strict=True)) if a != b)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        LOG.warning("%s: the checkpoint is damaged (%s) and made again from the rows", folder, error)
        return None
    if broken:
        LOG.warning("%s: %d blocks of vectors are damaged and made again from the rows", folder, len(broken))
    return Checkpoint(rows=rows, arrays=arrays, broken_blocks=broken, index=_read_index(folder, manifest, metric))


def _read_index(folder: Path, manifest: dict[str, Any], metric: Metric) -> CandidateIndex | None:
    told = manifest["index"]
    if told is None:
        return None
    try:
        _require_sha256(folder / told["file"], told["sha256"])
        index = faiss.read_index(str(folder / told["file"]))
    except (OSError, ValueError, RuntimeError) as error:
        LOG.warning("%s: the index is damaged (%s) and built again", folder, error)
        return None
    return CandidateIndex(
        index=index,
        metric=metric,
        covered=told["covered"],
        probes=told["probes"],
        trained_on=told["trained_on"],
        recall=told["recall"],
    )


def _block_hashes(vectors: VectorFile, rows: int) -> list[str]:
    """Return the sha256 of each block of the first ``rows`` vectors."""
    values = vectors.values[:rows]
    blocks: Sequence[NDArray[np.float32]] = [values[start : start + BLOCK] for start in range(0, rows, BLOCK)]
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        return list(pool.map(lambda block: hashlib.sha256(block).hexdigest(), blocks))


def _sha256_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _require_sha256(path: Path, wanted: str) -> None:
    if _sha256_of(path) != wanted:
        raise ValueError(f"{path.name} has another checksum")
