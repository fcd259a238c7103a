"""What an embedded collection keeps in memory, from its checkpoint as far as that is sound, and else from its rows."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.stores.candidates import CandidateIndex
from retrieval.stores.checkpoint import Checkpoint, read_checkpoint
from retrieval.stores.columns import Columns
from retrieval.stores.database import Database
from retrieval.stores.vector_file import BLOCK, VectorFile

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Recovered:
    """Columns and vectors of all rows there ever were, the index, and how many rows the checkpoint held."""

    columns: Columns
    vectors: VectorFile
    index: CandidateIndex | None
    checkpoint_rows: int


def recovered(folder: Path, database: Database) -> Recovered:
    """Read the checkpoint of a folder and, from the database, whatever is damaged in it or came after it."""
    schema, next_row = database.schema, database.next_row
    saved = read_checkpoint(folder, schema.dimension, schema.metric)
    columns = Columns(schema, database.numbers_of)
    if saved is not None and saved.rows <= next_row:
        try:
            columns.fill(saved.arrays)
        except (ValueError, KeyError) as error:
            LOG.warning("%s: the checkpoint doesn't fit (%s) and is made again", folder, error)
            saved, columns = None, Columns(schema, database.numbers_of)
    else:
        saved = None
    rows = saved.rows if saved is not None else 0
    vectors = VectorFile(folder, schema.dimension, rows)
    if saved is not None:
        _mend(vectors, saved, database)
    for portion in database.since(rows):
        _take(portion, columns, vectors)
    _leave_out(next_row, columns, vectors)
    removed = database.removed()
    columns.remove(removed[removed < len(columns)])
    return Recovered(
        columns=columns, vectors=vectors, index=saved.index if saved is not None else None, checkpoint_rows=rows
    )


def _mend(vectors: VectorFile, saved: Checkpoint, database: Database) -> None:
    """Write the damaged blocks of vectors anew."""
    for block in saved.broken_blocks:
        vectors.block(block)[:] = 0
        end = min((block + 1) * BLOCK, saved.rows)
        for number, vector in database.vectors_between(block * BLOCK, end):
            vectors.values[number] = np.frombuffer(vector, dtype=np.float32)


def _take(portion: list[tuple[Any, ...]], columns: Columns, vectors: VectorFile) -> None:
    """Append rows of the database, and an empty one for each number that is missing."""
    start = 0
    for i in range(1, len(portion) + 1):
        if i == len(portion) or portion[i][0] != portion[i - 1][0] + 1:
            part = portion[start:i]
            _leave_out(part[0][0], columns, vectors)
            _, ids, stored, *values = zip(*part, strict=True)
            columns.append(ids, values)
            stacked = np.frombuffer(b"".join(stored), dtype=np.float32)
            vectors.append(stacked.reshape(len(part), -1))
            start = i


def _leave_out(end: int, columns: Columns, vectors: VectorFile) -> None:
    """Append empty rows up to the number ``end``."""
    missing = end - len(columns)
    if missing > 0:
        columns.append_gap(missing)
        vectors.append(np.zeros((missing, vectors.values.shape[1]), dtype=np.float32))
