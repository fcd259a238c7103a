"""What a facility consists of: the elements an author lists, in Python or in YAML, and nothing derived from them.

Positions are site metres (x, y); what hangs or stands above a floor gives its height above that floor, so that a level
can be copied to another elevation. Angles are degrees, counter-clockwise from site +x. Unknown keys are refused.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+-]*$")]
Coordinate = Annotated[float, Field(ge=-1e5, le=1e5, allow_inf_nan=False)]
Length = Annotated[float, Field(gt=0, le=1e4, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Angle = Annotated[float, Field(ge=-720, le=720, allow_inf_nan=False)]
Point = tuple[Coordinate, Coordinate]
Line = Annotated[tuple[Point, ...], Field(min_length=2, max_length=10_000)]
Ring = Annotated[tuple[Point, ...], Field(min_length=3, max_length=10_000)]
Rgb = tuple[
    Annotated[int, Field(ge=0, le=255)], Annotated[int, Field(ge=0, le=255)], Annotated[int, Field(ge=0, le=255)]
]


class Element(BaseModel):
    """Anything an author can list: immutable, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Level(Element):
    """A floor slab inside ``outline``, its top at ``elevation``; ``ceiling`` is the clear height, none outdoors.

    look: levels of one look, and their elements of one local position, have the same texels
    """

    id: Name
    name: str = ""
    elevation: Coordinate
    ceiling: Length | None = None
    outline: Ring
    slab: Length = 0.3
    floor: Literal["concrete", "coated", "asphalt"] = "concrete"
    look: str = ""


class Wall(Element):
    """An upright wall along ``line``, its middle; up to the ceiling if no ``height`` is given."""

    id: Name
    level: Name
    line: Line
    height: Length | None = None
    base: Annotated[float, Field(ge=0, le=100)] = 0.0
    thickness: Length = 0.2
    material: Literal["concrete", "plaster", "brick", "mesh"] = "concrete"
    dado: Rgb | None = None


class Pillar(Element):
    """A column of ``size`` (x, y) turned by ``yaw_deg``, with a painted band where ``band`` is a colour."""

    id: Name
    level: Name
    at: Point
    size: tuple[Length, Length] = (0.5, 0.5)
    yaw_deg: Angle = 0.0
    round: bool = False
    band: Rgb | None = None
    text: str = ""


class Ramp(Element):
    """A sloped quadrilateral: its first edge is level with ``from``, its third with ``to``.

    profile: (s, z) from the first edge to the third, s in metres along the ramp, z site metres; easings at both ends
    """

    id: Name
    from_level: Name = Field(alias="from")
    to_level: Name = Field(alias="to")
    polygon: Annotated[tuple[Point, Point, Point, Point], Field()]
    profile: Annotated[tuple[Point, ...], Field(min_length=2, max_length=1000)]
    kerb: bool = True

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class StallRow(Element):
    """``count`` stalls side by side, named id-01, id-02 and so on.

    start: front corner of the first stall, on the lane's edge; along_deg: direction in which the row goes on; stalls
    extend to the left of it. ``angle_deg`` is between the row and a stall's side, 90 for perpendicular parking.
    """

    id: Name
    level: Name
    start: Point
    along_deg: Angle
    count: Annotated[int, Field(ge=1, le=2000)]
    width: Length = 2.5
    depth: Length = 5.0
    angle_deg: Annotated[float, Field(ge=20, le=160)] = 90.0
    first: Annotated[int, Field(ge=0)] = 1
    kind: Literal["standard", "disabled", "electric", "family", "motorcycle", "reserved"] = "standard"
    numbered: bool = True


class Lane(Element):
    """A driving lane along ``line`` in driving direction; on a ramp, ``level`` is the one the lane starts from."""

    id: Name
    level: Name
    line: Line
    width: Length = 3.0
    oneway: bool = True
    speed_mps: Annotated[float, Field(gt=0, le=40)] = 3.0
    to: tuple[Name, ...] = ()
    arrows: bool = True


class Crossing(Element):
    """A zebra crossing for people; the stripes run along the polygon's first edge."""

    id: Name
    level: Name
    polygon: Ring


class Zone(Element):
    """A named part of a level."""

    id: Name
    level: Name
    polygon: Ring
    name: str = ""


class Gate(Element):
    """A line that vehicles cross to enter or leave the facility, with a barrier where ``barrier``."""

    id: Name
    level: Name
    line: tuple[Point, Point]
    direction: Literal["in", "out", "both"]
    barrier: bool = True


class Mounted(Element):
    """A flat thing: its middle ``height`` above the floor at ``at``, facing ``facing_deg``."""

    id: Name
    level: Name
    at: Point
    height: Coordinate
    facing_deg: Angle
    size: tuple[Length, Length]
    depth: Length = 0.03


class Sign(Mounted):
    """A sign with text, listed in the plan; ``colours`` are of the board and of the letters."""

    text: Annotated[str, Field(min_length=1, max_length=200)]
    colours: tuple[Rgb, Rgb] = ((20, 62, 140), (250, 250, 250))
    double_sided: bool = False


class Door(Mounted):
    """A door in a wall; people come out of it."""

    text: str = ""
    colour: Rgb = (126, 44, 36)


class Fixture(Mounted):
    """What makes a place look lived in and is not in the plan."""

    kind: Literal["poster", "window", "shutter", "cabinet", "pipe", "hydrant", "notice"]
    text: str = ""


class Obstacle(Element):
    """A box on the floor, in the plan as an exclusion."""

    id: Name
    level: Name
    at: Point
    size: tuple[Length, Length, Length]
    yaw_deg: Angle = 0.0
    kind: Literal["crate", "planter", "machine", "booth", "hut"] = "crate"


class Light(Element):
    """A lamp; ``flux`` is the radiance it gives a white surface facing it at one metre, 1 being the image's white."""

    id: Name
    level: Name
    at: Point
    height: Length
    kind: Literal["tube", "panel", "spot", "pole"] = "tube"
    length: Length = 1.5
    yaw_deg: Angle = 0.0
    colour: tuple[float, float, float] = (1.0, 0.97, 0.9)
    flux: Annotated[float, Field(gt=0, le=1000)] = 6.0
    on: bool = True


class Tag(Element):
    """A surveyed AprilTag on a wall or pillar."""

    id: Annotated[int, Field(ge=0)]
    family: str = "tag36h11"
    level: Name
    at: Point
    height: Length = 1.6
    facing_deg: Angle
    size_m: Length = 0.16
    sigma_m: Length = 0.003


class FixedCamera(Element):
    """A mounted camera and its own clock; ``params`` in COLMAP's order for ``model``."""

    id: Name
    level: Name
    at: Point
    height: Length = 2.8
    yaw_deg: Angle
    pitch_deg: Annotated[float, Field(ge=-90, le=90)] = -20.0
    roll_deg: Angle = 0.0
    model: str = "SIMPLE_RADIAL"
    width: Annotated[int, Field(ge=16, le=8192)] = 640
    image_height: Annotated[int, Field(ge=16, le=8192)] = 480
    params: tuple[float, ...]
    clock_offset_s: Annotated[float, Field(ge=-3600, le=3600)] = 0.0
    clock_drift_ppm: Annotated[float, Field(ge=-1000, le=1000)] = 0.0


class WalkPath(Element):
    """Where the surveyor walks; a path may go down a ramp, its level is that of its first point."""

    id: Name
    level: Name
    line: Line
    both_ways: bool = True


class Wear(Element):
    """A listed mark on one level's floor or ceiling that tells it from its likes."""

    id: Name
    level: Name
    on: Literal["floor", "ceiling"] = "floor"
    at: Point
    size: tuple[Length, Length]
    kind: Literal["stain", "repair", "graffiti", "leak"] = "stain"


class Sun(Element):
    """Daylight of an outdoor place: the sun moves with the local solar hour."""

    latitude_deg: Annotated[float, Field(ge=-90, le=90)] = 47.0
    day_of_year: Annotated[int, Field(ge=1, le=366)] = 172
    hour: Annotated[float, Field(ge=0, le=24)] = 10.0
    north_deg: Angle = 90.0


class Traffic(Element):
    """What moves and what is parked.

    vehicles, people: how many are about in a minute; parked: share of stalls taken at the start; look_alikes: size
    of the group of exactly alike vehicles, 0 for none
    """

    vehicles: Annotated[int, Field(ge=0, le=1000)] = 10
    people: Annotated[int, Field(ge=0, le=1000)] = 6
    parked: Share = 0.5
    look_alikes: Annotated[int, Field(ge=0, le=100)] = 0


class Facility(Element):
    """A whole site. ``tiepoint scene show`` draws it, ``scenes.checks`` finds what can't be."""

    name: Name
    seed: Annotated[int, Field(ge=0)] = 0
    px_per_m: Annotated[float, Field(ge=8, le=512)] = 96.0
    levels: Annotated[tuple[Level, ...], Field(min_length=1)]
    walls: tuple[Wall, ...] = ()
    pillars: tuple[Pillar, ...] = ()
    ramps: tuple[Ramp, ...] = ()
    rows: tuple[StallRow, ...] = ()
    lanes: tuple[Lane, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    zones: tuple[Zone, ...] = ()
    gates: tuple[Gate, ...] = ()
    signs: tuple[Sign, ...] = ()
    doors: tuple[Door, ...] = ()
    fixtures: tuple[Fixture, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    lights: tuple[Light, ...] = ()
    tags: tuple[Tag, ...] = ()
    cameras: tuple[FixedCamera, ...] = ()
    walks: tuple[WalkPath, ...] = ()
    wear: tuple[Wear, ...] = ()
    sun: Sun | None = None
    traffic: Traffic = Traffic()
    meta: dict[str, Any] = {}
