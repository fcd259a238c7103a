"""A facility as a YAML file that a person likes to read: an element a line, points in brackets, defaults left out.

    name: yard
    levels:
    - {id: P1, elevation: 0.0, outline: [[0.0, 0.0], [20.0, 0.0], [20.0, 15.0], [0.0, 15.0]]}
    rows:
    - {id: P1-A, level: P1, start: [12.5, 5.0], along_deg: 180.0, count: 4}

The keys are the fields of ``scenes.facility``. Only the words true and false are truth values, so that ``on`` is a key.
"""

import inspect
import re
from collections.abc import Hashable, Iterator, Sequence
from os import PathLike
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from geometry.errors import InputError, nearest_known
from geometry.tables import read_bounded, write_atomic
from geometry.validation import first_problem
from scenes.facility import Facility

MAX_BYTES = 8 * 2**20
MAX_DEPTH = 12
TRUTH_WORDS = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")

TEXT = "tag:yaml.org,2002:str"

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BaseLoader):
    """YAML's safe types, with YAML 1.2's truth values, and no key twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in seen:
                fault = "occurs twice" if isinstance(key, str) else "is not a word"
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} {fault}", problem_mark=key_node.start_mark)
            seen.add(key)
        return dict(super().construct_mapping(node, deep=deep))


class _Dumper(yaml.SafeDumper):
    """Block style outside, each ``_Line`` in flow style."""


class _Line(dict[str, Any]):
    pass


for _class in (_Loader, _Dumper):
    _class.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in _class.yaml_implicit_resolvers.items()
    }
    _class.add_implicit_resolver("tag:yaml.org,2002:bool", TRUTH_WORDS, list("tTfF"))
_Dumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar(TEXT, text, None if text.isprintable() else '"')
)
_Dumper.add_representer(
    _Line, lambda dumper, line: dumper.represent_mapping("tag:yaml.org,2002:map", line, flow_style=True)
)


def read_facility(path: str | PathLike[str]) -> Facility:
    """Read a facility of at most ``MAX_BYTES``; it is not checked yet, see ``scenes.checks``.

    Raises ``InputError`` that names the element and the key, and for an unknown key the nearest known one. Anchors
    and aliases are refused.
    """
    content = read_bounded(path)
    if len(content) > MAX_BYTES:
        raise InputError(f"the file is longer than {MAX_BYTES >> 20} MiB", where=str(path))
    try:
        _check_events(content)
        described = yaml.load(content, Loader=_Loader)
    except yaml.YAMLError as error:
        raise _yaml_error(error, path) from error
    if not isinstance(described, dict):
        raise InputError("a facility is a list of keys and values, such as 'name: yard'", where=str(path))
    try:
        return Facility.model_validate(described)
    except ValidationError as error:
        raise _description_error(error, described, path) from error


def write_facility(path: str | PathLike[str], facility: Facility) -> None:
    """Write a facility; it reads back equal."""
    values = facility.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    lines = {key: _in_lines(value) for key, value in values.items()}
    text = yaml.dump(lines, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=200)
    write_atomic(path, text.encode())


def _in_lines(value: Any) -> Any:
    if isinstance(value, list):
        return [_Line(element) for element in value]
    return _Line(value) if isinstance(value, dict) else value


def _check_events(content: bytes) -> None:
    """Refuse what makes a small file large or deep before anything is built from it."""
    depth = 0
    events: Iterator[Any] = yaml.parse(content, Loader=_Loader)
    for event in events:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not allowed", problem_mark=event.start_mark)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="it is nested too deeply", problem_mark=event.start_mark)


def _yaml_error(error: yaml.YAMLError, path: str | PathLike[str]) -> InputError:
    mark = getattr(error, "problem_mark", None)
    where = f"{path}, line {mark.line + 1}" if mark else str(path)
    return InputError(getattr(error, "problem", None) or f"not YAML: {error}", where=where)


def _description_error(error: ValidationError, described: dict[str, Any], path: str | PathLike[str]) -> InputError:
    problem, unknown = first_problem(error)
    location = problem["loc"]
    element, key = _element(described, location), location[-1]
    where = ": ".join([str(path), *element])
    if unknown:
        return InputError(f"unknown key '{key}'", where=where, remedy=nearest_known(str(key), _keys(location)))
    if problem["type"] == "missing":
        return InputError(f"'{key}' is missing", where=where)
    remedy = "Put it in quotes." if problem["type"] == "string_type" else None
    inside = ".".join(map(str, location[2 if element else 0 :]))
    return InputError(f"{inside}: {problem['msg']}" if inside else problem["msg"], where=where, remedy=remedy)


def _element(described: dict[str, Any], location: Sequence[str | int]) -> list[str]:
    """Name the element at a location such as ("rows", 3, "count"): rows 'B', or by its number if it has no id."""
    if len(location) < 2:
        return []
    kind, index = str(location[0]), location[1]
    if isinstance(index, str):
        return [kind]
    element = described[kind][index]
    name = element.get("id") if isinstance(element, dict) else None
    return [f"{kind} '{name}'" if name is not None else f"{kind}, number {index + 1}"]


def _keys(location: Sequence[str | int]) -> list[str]:
    """Return the keys that the object may have whose key is at ``location``."""
    kinds = [Facility] if len(location) == 1 else _models(Facility.model_fields[str(location[0])].annotation)
    return [field.alias or name for kind in kinds for name, field in kind.model_fields.items()]


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the model in an annotation such as ``tuple[Wall, ...]`` or ``Sun | None``."""
    kinds = (annotation, *get_args(annotation))
    return [kind for kind in kinds if inspect.isclass(kind) and issubclass(kind, BaseModel)]
