"""What the layers of a drawing hold: a small YAML or JSON file, or the default names such as ``P1-STALLS``.

A pattern is a layer's name in which ``*`` stands for anything, and ``{level}``, ``{kind}`` and ``{to}`` for what they
say; upper and lower case are the same. The first pattern that fits counts.
"""

import re
from os import PathLike
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geometry.errors import InputError, nearest_known
from geometry.geojson import MAX_COORDINATE_M
from geometry.plan_units import METRES
from geometry.tables import read_bounded
from geometry.validation import first_problem

Metres = Annotated[float, Field(ge=-MAX_COORDINATE_M, le=MAX_COORDINATE_M)]
Extent = Annotated[float, Field(gt=0, le=MAX_COORDINATE_M)]
MAX_MAP_BYTES = 2**18
Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LayerRule(_Strict):
    """What is on the layers that fit a pattern; lengths in metres.

    level, kind, to: where the pattern doesn't say them; ``to`` is the level at which a ramp arrives
    height: of walls, of signs' boards; height_above_floor: of the middle of signs
    """

    layer: Name
    element: Literal[
        "level", "ramp", "stall", "lane", "wall", "pillar", "zone", "gate", "sign", "exclusion", "label", "ignored"
    ]
    level: Name | None = None
    kind: str | None = None
    to: Name | None = None
    oneway: bool = True
    speed_mps: Annotated[float, Field(gt=0, le=100)] = 3.0
    direction: Literal["in", "out", "both"] = "both"
    width: Extent | None = None
    height: Extent | None = None
    thickness: Extent = 0.2
    height_above_floor: Metres = 2.3

    def match(self, layer: str) -> dict[str, str] | None:
        """Return what the name of a layer says by this pattern, None where it doesn't fit."""
        parts = [re.escape(part) for part in re.split(r"(\{level\}|\{kind\}|\{to\}|\*)", self.layer)]
        pattern = "".join(parts).replace(r"\*", ".*")
        found = re.fullmatch(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", pattern), layer, re.IGNORECASE)
        return found.groupdict() if found else None


class LevelRule(_Strict):
    """A level of a drawing; lengths in metres but ``offset``, in the drawing's units, which is added to what it holds.

    elevation: of the floor, None for the height of the drawn outline
    """

    elevation: Metres | None = None
    ceiling: Extent | None = None
    name: str = ""
    offset: tuple[Metres, Metres] = (0.0, 0.0)


class LayerMap(_Strict):
    """The layers of a drawing and its levels; ``units`` where the drawing doesn't say them."""

    layers: Annotated[tuple[LayerRule, ...], Field(max_length=1000)]
    levels: dict[Name, LevelRule] = {}
    units: str | None = None

    def find(self, layer: str) -> tuple[LayerRule, dict[str, str]] | None:
        """Return the first rule that fits a layer and what its name says, None for none."""
        for rule in self.layers:
            found = rule.match(layer)
            if found is not None:
                given = {"level": rule.level, "kind": rule.kind, "to": rule.to}
                return rule, {key: value for key, value in given.items() if value is not None} | found
        return None


DEFAULT_LAYERS = LayerMap(
    layers=(
        LayerRule(layer="{level}-OUTLINE", element="level"),
        LayerRule(layer="{level}-STALLS-{kind}", element="stall"),
        LayerRule(layer="{level}-STALLS", element="stall"),
        LayerRule(layer="{level}-LANES-TWOWAY", element="lane", oneway=False),
        LayerRule(layer="{level}-LANES", element="lane"),
        LayerRule(layer="{level}-WALLS", element="wall"),
        LayerRule(layer="{level}-PILLARS", element="pillar"),
        LayerRule(layer="{level}-ZONES", element="zone"),
        LayerRule(layer="{level}-GATES-IN", element="gate", direction="in"),
        LayerRule(layer="{level}-GATES-OUT", element="gate", direction="out"),
        LayerRule(layer="{level}-GATES", element="gate"),
        LayerRule(layer="{level}-SIGNS", element="sign"),
        LayerRule(layer="{level}-RAMPS-{to}", element="ramp"),
        LayerRule(layer="{level}-OBSTACLES", element="exclusion"),
        LayerRule(layer="{level}-LABELS", element="label"),
    )
)
"""The names that are understood without a layer map, as in ``P1-STALLS``, ``P1-STALLS-disabled``, ``P1-RAMPS-P2``."""


def read_layer_map(path: str | PathLike[str]) -> LayerMap:
    """Read a layer map, YAML or JSON; ``InputError`` names the entry and, for an unknown key, the nearest known one."""
    content = read_bounded(path)
    if len(content) > MAX_MAP_BYTES:
        raise InputError(f"a layer map is not longer than {MAX_MAP_BYTES >> 10} KiB", where=str(path))
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(content)):
            raise InputError("it has an alias", where=str(path), remedy="Repeat what it stands for.")
        data = yaml.safe_load(content)
        found = LayerMap.model_validate(data)
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"it is not YAML: {str(error)[:200]}", where=str(path)) from error
    except ValidationError as error:
        problem, unknown = first_problem(error)
        where = ".".join(map(str, [f"{path}: layer map", *problem["loc"]]))
        model = LayerRule if problem["loc"][:1] == ("layers",) else LevelRule
        keys = model.model_fields if len(problem["loc"]) > 1 else LayerMap.model_fields
        remedy = nearest_known(str(problem["loc"][-1]), keys) if unknown else None
        raise InputError("unknown key" if unknown else problem["msg"], where=where, remedy=remedy) from error
    if found.units is not None and found.units not in METRES:
        raise InputError(
            f"there is no unit '{found.units}'", where=str(path), remedy=nearest_known(found.units, METRES)
        )
    return found
