"""What a collection holds: its vectors' dimension, metric and origin, and the fields one can filter by."""

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from geometry.errors import InputError, nearest_known

FieldType = Literal["keyword", "integer", "number"]
Metric = Literal["ip", "cosine", "l2"]

FIELD_TYPES: tuple[FieldType, ...] = ("keyword", "integer", "number")
METRICS: tuple[Metric, ...] = ("ip", "cosine", "l2")
MAX_ID_BYTES = 512
MAX_KEYWORD_BYTES = 1024
NAME = re.compile(r"[a-z][a-z0-9_]{0,127}")
RESERVED = frozenset({"id", "vector", "meta", "row"})


@dataclass(frozen=True)
class Field:
    """A field that rows can be filtered by.

    A ``number`` (float64) is finite and always there; a ``keyword`` (a string, not empty) and an ``integer`` (int64)
    may be None, which no test of a filter is true of.
    """

    name: str
    type: FieldType


@dataclass(frozen=True, kw_only=True)
class Schema:
    """What a collection is made for; a new schema is a new collection, which an alias may then point to.

    dimension: of the vectors, float32; metric: "ip" and "cosine" find the highest, "l2" the lowest score
    embedding: name and version of what made the vectors; others are refused
    plane: the two number fields that regions (boxes, polygons, circles) are about
    index: "auto" is exact up to ``exact_up_to`` rows and approximate above; "flat" always exact
    shards, replicas: for engines that spread a collection over machines
    """

    name: str
    dimension: int
    metric: Metric = "cosine"
    embedding: str
    fields: tuple[Field, ...]
    plane: tuple[str, str] = ("x", "y")
    index: Literal["auto", "flat"] = "auto"
    exact_up_to: int = 50_000
    shards: int = 1
    replicas: int = 0

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        for name in [self.name, *names]:
            if not NAME.fullmatch(name) or name in RESERVED:
                raise InputError(
                    f"'{name}' can't name a collection or field",
                    remedy="Take lower case letters, digits and _, beginning with a letter; not id, vector, meta, row.",
                )
        if len(set(names)) != len(names):
            raise InputError("two fields have one name", where=f"collection '{self.name}'")
        for field in self.fields:
            if field.type not in FIELD_TYPES:
                raise InputError(f"no field is a '{field.type}'", where=field.name, remedy=f"Known: {FIELD_TYPES}.")
        if self.metric not in METRICS or self.index not in ("auto", "flat"):
            raise InputError(f"no metric is '{self.metric}', or no index '{self.index}'", remedy=f"Known: {METRICS}.")
        if not (1 <= self.dimension <= 16_384 and self.exact_up_to >= 1 and self.shards >= 1 and self.replicas >= 0):
            raise InputError(f"can't hold vectors of {self.dimension} dimensions in {self.shards} shards")
        if not self.embedding:
            raise InputError("the embedding has no name", remedy="Say what made the vectors, with its version.")

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher score is the better one."""
        return self.metric != "l2"

    def field(self, name: str) -> Field:
        """Return a field by its name; ``InputError`` names the nearest known."""
        for field in self.fields:
            if field.name == name:
                return field
        remedy = nearest_known(name, [field.name for field in self.fields])
        raise InputError(f"there is no field '{name}'", where=f"collection '{self.name}'", remedy=remedy)

    def require_same(self, other: "Schema") -> None:
        """Raise ``InputError`` unless ``other`` describes the same rows: nothing drifts silently."""
        mine, theirs = asdict(self), asdict(other)
        changed = [key for key in mine if key in DEFINING and mine[key] != theirs[key]]
        if changed:
            what = ", ".join(f"{key}: {mine[key]!r} there, {theirs[key]!r} asked for" for key in changed)
            remedy = "Make a collection of another name, fill it, and point the alias to it."
            raise InputError(f"the collection has another schema ({what})", where=self.name, remedy=remedy)

    def require_embedding(self, embedding: str) -> None:
        """Raise ``InputError`` for vectors of another model or version: their scores would mean nothing."""
        if embedding != self.embedding:
            remedy = "Embed again with the collection's model, or index into a new collection."
            raise InputError(f"vectors are of '{embedding}', not of '{self.embedding}'", where=self.name, remedy=remedy)

    def as_dict(self) -> dict[str, Any]:
        """Return the schema as plain values for a file; ``schema_from_dict`` reads it."""
        return asdict(self)


DEFINING = ("dimension", "metric", "embedding", "fields", "plane")


def schema_from_dict(content: dict[str, Any]) -> Schema:
    """Return the schema of ``Schema.as_dict``; ``InputError`` for unknown or missing keys."""
    try:
        fields = tuple(Field(**field) for field in content["fields"])
        return Schema(**{**content, "fields": fields, "plane": tuple(content["plane"])})
    except (KeyError, TypeError) as error:
        raise InputError(f"this is no schema of a collection: {error}") from error


SIGHTING_FIELDS = (
    Field("facility", "keyword"),
    Field("level", "keyword"),
    Field("zone", "keyword"),
    Field("camera", "keyword"),
    Field("track", "integer"),
    Field("kind", "keyword"),
    Field("colour", "keyword"),
    Field("time", "number"),
    Field("x", "number"),
    Field("y", "number"),
    Field("z", "number"),
)
"""Of sightings: ``kind`` is their class, ``time`` epoch seconds, x, y, z site metres."""


def sighting_schema(name: str, dimension: int, embedding: str, **options: Any) -> Schema:
    """Return the schema of a collection of sightings, compared by cosine."""
    return Schema(name=name, dimension=dimension, embedding=embedding, fields=SIGHTING_FIELDS, **options)
