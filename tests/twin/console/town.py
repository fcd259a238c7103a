"""A large car park without pictures, and who drives around in it, written as the live engine writes it.

Only the engine is left out. Run as a program it serves the town until it is told to stop:

    python -m tests.twin.console.town FOLDER PORT [OBJECTS] [go on]
"""

import sys
import threading
import time
from pathlib import Path

import numpy as np
import shapely

from geometry import FixedCamera, FloorPlan, camera_from_params, pose_from_matrix, write_cameras_json, write_plan
from geometry.floorplan import Gate, Lane, Level, Pillar, Ramp, Stall, Wall, Zone
from geometry.track_records import TrackRow
from twin.events.records import Event, Occupancy, Where
from twin.live.database.connection import Database
from twin.live.journal import Journal, Record, record_of_event, record_of_occupancy, record_of_track
from twin.service.settings import Settings

NAME = "town"
LEVELS, ROWS, IN_ROW = ("P1", "P2"), 10, 20
WIDE, DEEP, LANE = 2.5, 5.0, 6.0
LONG, ACROSS = IN_ROW * WIDE + 14.0, ROWS / 2 * (2 * DEEP + LANE) + 2.0
FPS = 5.0


def town_plan() -> FloorPlan:
    """Two levels of 200 stalls each."""
    outline = shapely.box(0, 0, LONG, ACROSS)
    stalls, lanes, walls, zones, pillars = [], [], [], [], []
    for index, level in enumerate(LEVELS):
        walls.append(Wall(level=level, line=shapely.LineString(outline.exterior.coords), height=3.0))
        zones += [
            Zone(id=f"{level}-west", level=level, name="West", polygon=shapely.box(0, 0, LONG / 2, ACROSS)),
            Zone(id=f"{level}-east", level=level, name="East", polygon=shapely.box(LONG / 2, 0, LONG, ACROSS)),
        ]
        for aisle in range(ROWS // 2):
            low = 1.0 + aisle * (2 * DEEP + LANE)
            middle = low + DEEP + LANE / 2
            lanes.append(
                Lane(id=f"{level}-L{aisle}", level=level, line=shapely.LineString([(1, middle), (LONG - 1, middle)]))
            )
            for n in range(IN_ROW):
                x = 7.0 + n * WIDE
                for side, (bottom, top) in enumerate(((low, low + DEEP), (low + DEEP + LANE, low + 2 * DEEP + LANE))):
                    ring = [(x, top), (x, bottom), (x + WIDE, bottom), (x + WIDE, top)]
                    ring = [ring[1], ring[2], ring[3], ring[0]] if side else [ring[3], ring[0], ring[1], ring[2]]
                    id = f"{level}-{aisle}{'AB'[side]}{n + 1:02d}"
                    stalls.append(Stall(id=id, level=level, polygon=shapely.Polygon(ring)))
            pillars.append(
                Pillar(id=f"{level}-p{aisle}", level=level, polygon=shapely.box(3, middle + 3, 3.4, middle + 3.4))
            )
        del index
    levels = [
        Level(id=id, name=f"Level {id}", elevation=3.2 * k, ceiling=2.8, outline=outline) for k, id in enumerate(LEVELS)
    ]
    ramp = Ramp(
        **{
            "id": "R1",
            "from": "P1",
            "to": "P2",
            "polygon": shapely.box(LONG - 6, 2, LONG - 2, 26),
            "profile": ((0.0, 0.0), (24.0, 3.2)),
        }
    )
    gate = Gate(id="entry", level="P1", line=shapely.LineString([(1, 8), (1, 13)]), direction="both")
    return FloorPlan(
        levels=tuple(levels),
        stalls=tuple(stalls),
        lanes=tuple(lanes),
        walls=tuple(walls),
        zones=tuple(zones),
        pillars=tuple(pillars),
        ramps=(ramp,),
        gates=(gate,),
    )


def town_cameras() -> list[FixedCamera]:
    """Eight cameras under the ceilings, looking along the aisles."""
    lens = camera_from_params("PINHOLE", 1280, 720, [800.0, 800.0, 640.0, 360.0])
    cameras = []
    for k in range(8):
        level, west, tilt = LEVELS[k % 2], k % 4 < 2, 0.45
        forward = np.array([(1.0 if west else -1.0) * np.cos(tilt), 0.0, -np.sin(tilt)])
        right = np.array([0.0, -1.0 if west else 1.0, 0.0])
        rotation = np.stack([right, np.cross(forward, right), forward])
        at = np.array([1.0 if west else LONG - 1.0, 9.0 + 16.0 * (k // 2), 2.7 + 3.2 * (k % 2)])
        cameras.append(FixedCamera.of(f"cam{k + 1}", lens, pose_from_matrix(rotation, -rotation @ at), level=level))
    return cameras


def write_town(folder: Path) -> Path:
    """Write the plan and the cameras; return the twin's folder."""
    twin = folder / NAME
    twin.mkdir(parents=True)
    write_plan(twin / "plan.json", town_plan())
    write_cameras_json(twin / "cameras.json", town_cameras())
    return twin


def settings_of(folder: Path, port: int) -> Settings:
    return Settings(twins=(folder / NAME,), data=folder / "data", port=port, workers=1)


class Traffic:
    """So many objects that drive and walk along the aisles for ever; a fifth of them are people."""

    def __init__(self, objects: int = 100, seed: int = 3) -> None:
        rng = np.random.default_rng(seed)
        self.plan = town_plan()
        self.person = np.arange(objects) % 5 == 4
        self.speed = np.where(self.person, rng.uniform(0.8, 1.5, objects), rng.uniform(1.5, 4.0, objects))
        self.phase = rng.uniform(0, LONG, objects)
        self.aisle = rng.integers(0, ROWS // 2, objects)
        self.level = rng.integers(0, len(LEVELS), objects)
        self.side = rng.choice([-1.0, 1.0], objects)
        self.taken = rng.random(len(self.plan.stalls)) < 0.6
        self.rng = rng

    def rows(self, now: float) -> list[TrackRow]:
        """Where everyone is at a time."""
        span = LONG - 4.0
        turn = (self.phase + self.speed * (now % 1e6)) % (2 * span)
        x = 2.0 + np.where(turn < span, turn, 2 * span - turn)
        going = np.where(turn < span, 1.0, -1.0)
        y = 1.0 + self.aisle * (2 * DEEP + LANE) + DEEP + LANE / 2 + self.side * 1.3
        found = []
        for k in range(len(x)):
            kind, size = ("person", (0.6, 0.6, 1.75)) if self.person[k] else ("car", (4.4, 1.8, 1.5))
            spread = 0.02 + 0.05 * (k % 7)
            found.append(
                TrackRow.model_validate(
                    {
                        "time": now, "track": k + 1, "class": kind, "level": LEVELS[self.level[k]],
                        "zone": f"{LEVELS[self.level[k]]}-{'west' if x[k] < LONG / 2 else 'east'}",
                        "position": (round(float(x[k]), 3), round(float(y[k]), 3), 3.2 * int(self.level[k])),
                        "position_covariance": ((spread, 0.0, 0.0), (0.0, spread / 3, 0.0), (0.0, 0.0, 0.01)),
                        "velocity": (float(going[k] * self.speed[k]), 0.0, 0.0),
                        "heading": 0.0 if going[k] > 0 else float(np.pi), "size": size,
                    }
                )
            )  # fmt: skip
        return found

    def stalls(self, now: float, some: int | None = None) -> list[Occupancy]:
        """All stalls, or some of them that change."""
        chosen = range(len(self.taken)) if some is None else self.rng.choice(len(self.taken), some, replace=False)
        if some is not None:
            self.taken[list(chosen)] ^= True
        return [
            Occupancy(time=now, stall=self.plan.stalls[k].id, p_occupied=0.97 if self.taken[k] else 0.03)
            for k in chosen
        ]


class Writer(threading.Thread):
    """Writes traffic into the database of a service as its engine would."""

    def __init__(self, url: str, objects: int, begin: float) -> None:
        super().__init__(daemon=True)
        self.journal = Journal(Database(url), NAME, "town")
        self.journal.progress()
        self.traffic, self.stopping, self.time, self.written = Traffic(objects), threading.Event(), begin, 0
        self._write([record_of_occupancy(row) for row in self.traffic.stalls(begin)])

    def step(self) -> None:
        """Write one frame."""
        said: list[Record] = [record_of_track(row) for row in self.traffic.rows(self.time)]
        if int(self.time * FPS) % 10 == 0:
            changed = self.traffic.stalls(self.time, 1)[0]
            said.append(record_of_occupancy(changed))
            kind = "stall_taken" if changed.p_occupied > 0.5 else "stall_freed"
            where = Where(stall=changed.stall, level=changed.stall[:2])
            said.append(
                record_of_event(Event(time=self.time, kind=kind, track=1, where=where, confidence=0.97))  # type: ignore[arg-type]
            )
        self._write(said)
        self.time = round(self.time + 1 / FPS, 3)

    def run(self) -> None:
        """Write in real time until told to stop."""
        due = time.monotonic()
        while not self.stopping.is_set():
            self.step()
            due += 1 / FPS
            self.stopping.wait(max(0.0, due - time.monotonic()))

    def _write(self, said: list[Record]) -> None:
        self.journal.write(said, 0, {})
        self.written += len(said)


def main() -> None:
    """Serve the town."""
    from twin.service.app import create_app
    from twin.service.server import run

    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    objects = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    if not (folder / NAME).exists():
        write_town(folder)
    settings = settings_of(folder, port)
    app = create_app(settings)
    now = time.time()
    is_first = len(sys.argv) <= 4
    begin = now - 60.0 if is_first else now  # a restarted one leaves a gap
    history = Writer(settings.database_url, objects, round(begin, 1))
    if is_first:
        while history.time < now:
            history.step()
    writer = history
    writer.start()
    try:
        run(app, settings)
    finally:
        writer.stopping.set()


if __name__ == "__main__":
    main()
