"""The answer to 'where was this photo taken?', a refusal included, and its text form (localizations.jsonl)."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pycolmap
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from geometry import (
    FloorPlan,
    InputError,
    largest_sigma,
    locate,
    pose_from_position,
    position_covariance,
    position_of,
    quat_xyzw_of,
    read_bounded,
    write_atomic,
)

Vector3 = tuple[float, float, float]
Vector4 = tuple[float, float, float, float]


SIGMAS = 2.0
AROUND = np.vstack([np.zeros(3), np.eye(3), -np.eye(3)])
"""A position and six around it."""


class Place(BaseModel):
    """A coarse guess: within ``radius_m`` of ``position`` with ``probability``, if the photo is of this place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: str | None = None
    position: Vector3
    radius_m: float
    probability: float


class Localization(BaseModel):
    """One query's answer; the fields are those of localizations.jsonl in docs/formats.md.

    ``status`` is "ok" or "refused" with a ``reason``; a refused query has no pose, but may have ``coarse`` guesses.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: str
    status: Literal["ok", "refused"]
    reason: str | None = None
    position: Vector3 | None = None
    quat_xyzw: Vector4 | None = None
    covariance: list[list[float]] | None = None
    position_covariance: list[list[float]] | None = None
    position_sigma_m: float | None = None
    rotation_sigma_deg: float | None = None
    confidence: float = 0.0
    inliers: int = 0
    level: str | None = None
    zone: str | None = None
    stall: str | None = None
    coarse: list[Place] = Field(default_factory=list)
    seconds: float = 0.0

    @model_validator(mode="after")
    def _pose_or_reason(self) -> "Localization":
        if self.status == "ok" and (self.position is None or self.quat_xyzw is None or self.covariance is None):
            raise ValueError("status ok needs position, quat_xyzw and covariance")
        if self.status == "refused" and not self.reason:
            raise ValueError("status refused needs a reason")
        return self

    @property
    def cam_from_site(self) -> pycolmap.Rigid3d:
        """The pose. Raises ``InputError`` for a refused query."""
        if self.position is None or self.quat_xyzw is None:
            raise InputError(f"{self.image} was refused and has no pose")
        return pose_from_position(self.position, self.quat_xyzw)


def refusal(
    image: str, reason: str, *, coarse: Iterable[Place] = (), inliers: int = 0, seconds: float = 0.0
) -> Localization:
    """Return the answer of a query that can't be localized."""
    return Localization(
        image=image, status="refused", reason=reason, coarse=list(coarse), inliers=inliers, seconds=round(seconds, 4)
    )


def localized(
    image: str,
    cam_from_site: pycolmap.Rigid3d,
    covariance: np.ndarray,
    *,
    confidence: float,
    inliers: int,
    coarse: Iterable[Place] = (),
    seconds: float = 0.0,
) -> Localization:
    """Return the answer of a query with a pose and its covariance (6, 6) in the tangent of geometry.frames."""
    in_site = position_covariance(cam_from_site, covariance)
    return Localization(
        image=image,
        status="ok",
        position=tuple(position_of(cam_from_site).tolist()),
        quat_xyzw=tuple(quat_xyzw_of(cam_from_site).tolist()),
        covariance=covariance.tolist(),
        position_covariance=in_site.tolist(),
        position_sigma_m=largest_sigma(in_site),
        rotation_sigma_deg=float(np.degrees(largest_sigma(covariance[:3, :3]))),
        confidence=confidence,
        inliers=inliers,
        coarse=list(coarse),
        seconds=round(seconds, 4),
    )


def with_place(answer: Localization, plan: FloorPlan) -> Localization:
    """Return the answer with the level, zone and stall that the camera is in, and the levels of its coarse guesses.

    A name is given where all positions within two sigmas have it, so that a pose between two stalls has none.
    """
    levels = [_name(plan.levels, i) for i in locate(plan, _positions(answer.coarse)).level]
    coarse = [p.model_copy(update={"level": level}) for p, level in zip(answer.coarse, levels, strict=True)]
    names: dict[str, str | None] = {}
    if answer.position is not None:
        around = locate(plan, np.array(answer.position) + SIGMAS * (answer.position_sigma_m or 0.0) * AROUND)
        for kind, indices in (("level", around.level), ("zone", around.zone), ("stall", around.stall)):
            names[kind] = _name(getattr(plan, f"{kind}s"), indices[0]) if (indices == indices[0]).all() else None
    return answer.model_copy(update={"coarse": coarse, **names})


def _positions(places: Iterable[Place]) -> NDArray[np.float64]:
    return np.array([place.position for place in places], dtype=np.float64).reshape(-1, 3)


def _name(elements: Sequence[Any], index: int) -> str | None:
    return elements[index].id if index >= 0 else None


def write_localizations(path: Path, localizations: Iterable[Localization]) -> None:
    """Write localizations.jsonl, atomically."""
    lines = [answer.model_dump_json() for answer in localizations]
    write_atomic(path, ("\n".join(lines) + "\n").encode() if lines else b"")


def read_localizations(path: Path) -> list[Localization]:
    """Read localizations.jsonl. Raises ``InputError`` naming the line that is wrong."""
    answers: list[Localization] = []
    seen: dict[str, int] = {}
    try:
        text = read_bounded(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text", where=str(path)) from error
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{path} line {number}"
        try:
            answer = Localization.model_validate(json.loads(line))
        except (json.JSONDecodeError, ValidationError) as error:
            raise InputError(f"not a localization ({str(error).splitlines()[0]})", where=where) from error
        if answer.image in seen:
            raise InputError(f"'{answer.image}' occurs already in line {seen[answer.image]}", where=where)
        seen[answer.image] = number
        answers.append(answer)
    return answers
