"""Clocks of cameras that are off and run fast or slow, and when such a camera exposes its frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError
from geometry.tables import Column, read_table, write_table

Array = NDArray[np.float64]

MAX_DRIFT_PPM = 1e5
CLOCK_COLUMNS = (
    Column("camera", str),
    Column("clock_offset_s", float),
    Column("clock_drift_ppm", float, minimum=-MAX_DRIFT_PPM, maximum=MAX_DRIFT_PPM),
    Column("clock_epoch", float),
)


@dataclass(frozen=True, kw_only=True)
class Clock:
    """A clock that shows utc + offset_s at ``epoch`` (by itself) and gains ``drift_ppm`` microseconds a second.

    utc = time - offset_s - drift_ppm * 1e-6 * (time - epoch), with time and epoch as the clock shows them.
    """

    offset_s: float = 0.0
    drift_ppm: float = 0.0
    epoch: float = 0.0

    def __post_init__(self) -> None:
        if not np.isfinite([self.offset_s, self.epoch]).all() or not abs(self.drift_ppm) <= MAX_DRIFT_PPM:
            raise InputError(f"a clock needs finite numbers and a drift of at most {MAX_DRIFT_PPM:g} ppm, got {self}")

    def utc(self, time: ArrayLike) -> Array:
        """Return UTC, epoch seconds of any shape, when the clock shows ``time``."""
        shown = np.asarray(time, dtype=np.float64)
        return shown - self.offset_s - self.drift_ppm * 1e-6 * (shown - self.epoch)

    def time(self, utc: ArrayLike) -> Array:
        """Return what the clock shows at ``utc``; the inverse of ``utc``."""
        since_epoch = np.asarray(utc, dtype=np.float64) + self.offset_s - self.epoch
        return self.epoch + since_epoch / (1 - self.drift_ppm * 1e-6)


def exposure_times(clock: Clock, start_utc: float, seconds: float, fps: float, phase: float) -> Array:
    """Return when a camera exposes its frames, by its own clock, during ``seconds`` from ``start_utc`` on.

    It exposes every 1/fps seconds of its own clock; ``phase`` in [0, 1) is how far into the first interval it starts.
    """
    first, end = clock.time([start_utc, start_utc + seconds])
    times = first + (np.arange(int((end - first) * fps) + 1) + phase) / fps
    return times[clock.utc(times) < start_utc + seconds]


def write_clocks(path: str | PathLike[str], clocks: Mapping[str, Clock]) -> None:
    """Write clocks.csv: the clock of every camera, by its id."""
    columns: dict[str, Sequence[Any]] = {
        "camera": list(clocks),
        "clock_offset_s": [clock.offset_s for clock in clocks.values()],
        "clock_drift_ppm": [clock.drift_ppm for clock in clocks.values()],
        "clock_epoch": [clock.epoch for clock in clocks.values()],
    }
    write_table(path, CLOCK_COLUMNS, columns)


def read_clocks(path: str | PathLike[str]) -> dict[str, Clock]:
    """Read clocks.csv; ``InputError`` names the line of what is wrong."""
    table = read_table(path, CLOCK_COLUMNS)
    cameras = table.text("camera")
    for row, camera in enumerate(cameras):
        if camera in cameras[:row]:
            raise InputError(f"camera '{camera}' occurs twice", where=table.where(row, "camera"))
    rows = table.numbers("clock_offset_s", "clock_drift_ppm", "clock_epoch").tolist()
    return {
        camera: Clock(offset_s=offset, drift_ppm=drift, epoch=epoch)
        for camera, (offset, drift, epoch) in zip(cameras, rows, strict=True)
    }
