"""A small covered level with one of everything, its look-alike above, and a ramp between."""

import pytest

from scenes.building import Building, build_facility
from scenes.facility import (
    Crossing,
    Door,
    Facility,
    Fixture,
    Gate,
    Lane,
    Level,
    Light,
    Obstacle,
    Pillar,
    Ramp,
    Sign,
    StallRow,
    Tag,
    Wall,
    Wear,
)

RING = ((0.0, 0.0), (18.0, 0.0), (18.0, 12.0), (0.0, 12.0))
RISE_M = 3.0
RAMP = ((4.0, 8.0), (4.0, 11.0), (13.0, 11.0), (13.0, 8.0))


def level_elements(level: str) -> dict[str, list]:
    wall = {"level": level, "height": 2.35}
    return {
        "walls": [
            Wall(id=f"{level}-south", level=level, line=((0.1, 0.1), (17.9, 0.1), (17.9, 6.0)), dado=(60, 90, 120)),
            Wall(id=f"{level}-brick", level=level, line=((0.1, 3.0), (0.1, 6.0)), height=1.2, material="brick"),
            Wall(id=f"{level}-cage", level=level, line=((14.0, 8.0), (16.0, 8.0)), height=2.0, material="mesh"),
        ],
        "pillars": [
            Pillar(id=f"{level}-1", level=level, at=(5.0, 5.0), yaw_deg=20.0, band=(24, 78, 160), text="A1"),
            Pillar(id=f"{level}-2", level=level, at=(10.0, 5.0), round=True, text="A2"),
        ],
        "rows": [
            StallRow(id=f"{level}-A", level=level, start=(9.5, 5.2), along_deg=180.0, count=3),
            StallRow(id=f"{level}-D", level=level, start=(15.0, 5.2), along_deg=180.0, count=2, kind="disabled"),
        ],
        "lanes": [Lane(id=f"{level}-lane", level=level, line=((1.0, 6.8), (17.0, 6.8)))],
        "crossings": [
            Crossing(id=f"{level}-zebra", level=level, polygon=((16, 5.5), (16, 8), (17, 8), (17, 5.5)))
        ],
        "signs": [
            Sign(id=f"{level}-exit", at=(6.0, 0.2), facing_deg=90.0, size=(1.2, 0.5), text=f"EXIT {level}", **wall),
            Sign(id=f"{level}-hang", at=(12.0, 7.0), facing_deg=30.0, size=(1.0, 0.3), text="WAY",
                 level=level, height=2.2, double_sided=True),
        ],
        "doors": [Door(id=f"{level}-door", level=level, at=(2.0, 0.2), height=1.05, facing_deg=90, size=(1, 2.1))],
        "fixtures": [
            Fixture(id=f"{level}-{kind}", level=level, at=(8.0 + i, 0.2), height=1.4, facing_deg=90, size=(0.6, 0.8),
                    kind=kind)
            for i, kind in enumerate(("poster", "window", "shutter", "cabinet", "pipe", "hydrant", "notice"))
        ],
        "obstacles": [
            Obstacle(id=f"{level}-{kind}", level=level, at=(1.5 + 3 * i, 11.5), size=(0.9, 0.6, 0.8), yaw_deg=10,
                     kind=kind)
            for i, kind in enumerate(("crate", "planter", "machine", "booth", "hut"))
        ],
        "lights": [
            Light(id=f"{level}-{kind}", level=level, at=(3.0 + 4 * i, 6.5), height=2.4, kind=kind, yaw_deg=30,
                  on=kind != "spot")
            for i, kind in enumerate(("tube", "panel", "spot", "pole"))
        ],
        "gates": [Gate(id=f"{level}-gate", level=level, line=((0.3, 6.2), (0.3, 7.8)), direction="both")],
        "tags": [Tag(id=7 if level == "P1" else 8, level=level, at=(14.0, 0.2), facing_deg=90.0)],
    }  # fmt: skip


def small_facility(seed: int = 3, *, wear: bool = True, look: str = "deck") -> Facility:
    """Two levels that look alike but for a stain on the second, its signs and tags."""
    lower, upper = level_elements("P1"), level_elements("P2")
    ramp = {"id": "up", "from": "P1", "to": "P2", "polygon": RAMP}
    profile = ((0.0, 0.0), (2.0, 0.4), (7.0, 2.6), (9.0, RISE_M))
    stain = Wear(id="stain", level="P2", at=(12.0, 6.0), size=(1.5, 1.0))
    return Facility(
        name="small",
        seed=seed,
        px_per_m=32.0,
        levels=tuple(
            Level(id=id, elevation=z, ceiling=2.6, outline=RING, look=look) for id, z in (("P1", 0.0), ("P2", RISE_M))
        ),
        ramps=(Ramp.model_validate({**ramp, "profile": profile}),),
        wear=(stain,) if wear else (),
        **{key: (*lower[key], *upper[key]) for key in lower},
    )


@pytest.fixture(scope="session")
def facility() -> Facility:
    return small_facility()


@pytest.fixture(scope="session")
def building(facility: Facility) -> Building:
    return build_facility(facility)
