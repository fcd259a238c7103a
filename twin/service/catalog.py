"""The twins that are served: their versions on disk, which one is current, and what is read of it.

A twin given on the command line is its version "given". Uploaded versions lie in ``DATA/twins/NAME/VERSION``, and
``DATA/twins/NAME/current.json`` says which one is current and which were before; it is replaced in one step.
"""

import contextlib
import json
import re
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from secrets import token_hex

from pydantic import BaseModel, ConfigDict, ValidationError

from geometry import FloorPlan, Georeference, InputError, TwinError, read_plan, write_atomic
from geometry.folders import sync
from geometry.interchange import read_cameras_json
from geometry.records import FixedCamera
from twin.live.task import content_of
from twin.service.problems import ServiceError
from twin.store import MANIFEST, Manifest, read_manifest

GIVEN = "given"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._\-]{0,63}$"
VERSION = r"^[A-Za-z0-9][A-Za-z0-9.\-]{0,63}$"
PLAN_FILE, CAMERAS_FILE = "plan.json", "cameras.json"
MAX_BEFORE = 50


class Current(BaseModel):
    """current.json: the version that is served, and those before it, the last one last."""

    model_config = ConfigDict(extra="forbid")

    version: str
    before: list[str] = []


@dataclass(frozen=True, kw_only=True)
class Served:
    """The current version of a twin. Without twin.yaml it is a plan and cameras: tracked, but no photo is placed."""

    name: str
    version: str
    folder: Path
    cameras_file: Path | None

    @cached_property
    def manifest(self) -> Manifest | None:
        """What twin.yaml says."""
        return read_manifest(self.folder) if (self.folder / MANIFEST).is_file() else None

    @cached_property
    def plan(self) -> FloorPlan | None:
        """The floor plan."""
        return None if self.plan_file is None else read_plan(self.plan_file)

    @cached_property
    def georeference(self) -> Georeference | None:
        """Where on Earth the site is."""
        known = None if self.manifest is None else self.manifest.georeference
        return None if known is None else Georeference(**known)

    @cached_property
    def cameras(self) -> tuple[FixedCamera, ...]:
        """The fixed cameras."""
        return () if self.cameras_file is None else read_cameras_json(self.cameras_file)

    @cached_property
    def camera_ids(self) -> frozenset[str]:
        """The ids of the fixed cameras."""
        return frozenset(camera.id for camera in self.cameras)

    @property
    def plan_file(self) -> Path | None:
        """Where the floor plan is."""
        path = self.folder / PLAN_FILE
        return path if path.is_file() else None

    @cached_property
    def content(self) -> str:
        """A digest of cameras and plan as they were read, by which the engine knows that they changed in place."""
        return "" if self.cameras_file is None else content_of(self.cameras_file, self.plan_file)


class Catalog:
    """The twins by name."""

    def __init__(self, data: Path, given: Mapping[str, Path], cameras: Mapping[str, Path]) -> None:
        """Look at what is there. Raises ``InputError`` for a name that can't be part of a path."""
        self.folder = data / "twins"
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in [*given, *cameras]:
            if not re.match(NAME, name):
                raise InputError(f"'{name}' can't be a twin's name", remedy="Letters, digits, '.', '_' and '-'.")
        for name in cameras.keys() - given.keys():
            raise InputError(f"there are cameras for '{name}', which is not served")
        self._given = {name: path.resolve() for name, path in given.items()}
        self._cameras = {name: path.resolve() for name, path in cameras.items()}
        self._served: dict[str, Served] = {}
        self._lock = threading.Lock()
        uploaded = {path.parent.name for path in self.folder.glob("*/current.json")}
        for name in sorted({*given, *uploaded}):
            self._load(name)

    def names(self) -> list[str]:
        """Return the names of all twins."""
        return sorted(self._served)

    def get(self, name: str) -> Served:
        """Return a twin; a ``ServiceError`` of 404 where there is none of that name."""
        served = self._served.get(name)
        if served is None:
            raise ServiceError(404, f"there is no twin '{name[:64]}'", remedy="GET /v1/twins lists them.")
        return served

    def versions(self, name: str) -> list[str]:
        """Return all versions of a twin, oldest first."""
        home = self.folder / name
        uploaded = sorted(path.name for path in home.iterdir() if path.is_dir()) if home.is_dir() else []
        return ([GIVEN] if name in self._given else []) + [each for each in uploaded if re.match(VERSION, each)]

    def home(self, name: str) -> Path:
        """Return the folder of a twin's uploaded versions, which is made."""
        if not re.match(NAME, name):
            raise ServiceError(404, "no twin can have this name", remedy="Letters, digits, '.', '_' and '-'.")
        home = self.folder / name
        home.mkdir(exist_ok=True)
        return home

    def leave(self, name: str) -> None:
        """Remove the folder of a twin's versions where there are none."""
        with contextlib.suppress(OSError):
            (self.folder / name).rmdir()

    def current(self, name: str) -> Current | None:
        """Return which version is current, None for a twin of which nothing was published yet."""
        path = self.folder / name / "current.json"
        if path.is_file():
            try:
                return Current.model_validate_json(path.read_bytes())
            except ValidationError as error:
                raise InputError("can't be read", where=str(path), remedy="Delete it and publish again.") from error
        return Current(version=GIVEN) if name in self._given else None

    def publish(self, name: str, version: str, require: Callable[[Served], None] = lambda _: None) -> Served:
        """Make a version the current one, in one step; not one that is damaged, or that ``require`` raises for.

        The current one is read again, as its files may have been changed in place.
        """
        with self._lock:
            if not re.match(NAME, name) or version not in self.versions(name):
                raise ServiceError(404, f"twin '{name[:64]}' has no version '{version[:64]}'")
            now = self.current(name)
            served = self._sound(name, version, require)  # as no service starts with a damaged one
            if now is None or now.version != version:
                before = [] if now is None else [*now.before, now.version][-MAX_BEFORE:]
                self._write(name, Current(version=version, before=before))
            self._served[name] = served
            return served

    def roll_back(self, name: str, require: Callable[[Served], None] = lambda _: None) -> Served:
        """Serve the version before the current one again; a ``ServiceError`` of 409 where there is none."""
        with self._lock:
            self.get(name)
            now = self.current(name)
            there = [] if now is None else [each for each in now.before if each in self.versions(name)]
            if not there:
                raise ServiceError(409, f"twin '{name}' has no version before this one")
            served = self._sound(name, there[-1], require)
            self._write(name, Current(version=there[-1], before=there[:-1]))
            self._served[name] = served
            return served

    def delete(self, name: str, version: str) -> None:
        """Delete an uploaded version that is not current."""
        with self._lock:
            now = self.current(name) if re.match(NAME, name) else None
            if not re.match(VERSION, version) or version == GIVEN or version not in self.versions(name):
                raise ServiceError(404, f"twin '{name[:64]}' has no uploaded version '{version[:64]}'")
            if now is not None and now.version == version:
                raise ServiceError(409, "the current version can't be deleted", remedy="Publish another one first.")
            gone = self.folder / name / f".gone-{token_hex(8)}"
            (self.folder / name / version).rename(gone)  # in one step, so that no half of it can be published
            shutil.rmtree(gone)

    def _write(self, name: str, current: Current) -> None:
        content = json.dumps(current.model_dump()).encode()
        write_atomic(self.home(name) / "current.json", content)
        sync(self.home(name))

    def _load(self, name: str) -> Served:
        current = self.current(name)
        assert current is not None
        self._served[name] = served = self._read(name, current.version)
        return served

    def _sound(self, name: str, version: str, require: Callable[[Served], None]) -> Served:
        """Read a version that is to be served; a ``ServiceError`` of 422, without our paths, for a damaged one."""
        try:
            served = self._read(name, version)
            require(served)
            return served
        except (InputError, TwinError) as error:
            where = error.where and Path(error.where).name
            raise ServiceError(422, error.what, where=where, remedy=error.remedy) from error

    def _read(self, name: str, version: str) -> Served:
        folder = self._given[name] if version == GIVEN else self.folder / name / version
        own = folder / CAMERAS_FILE
        cameras = self._cameras.get(name) or (own if own.is_file() else None)
        served = Served(name=name, version=version, folder=folder, cameras_file=cameras)
        # Damaged ones are refused here.
        _ = served.manifest, served.plan, served.georeference, served.cameras, served.content
        if served.manifest is None and served.plan is None:
            raise InputError("is not a twin: it has neither twin.yaml nor plan.json", where=str(folder))
        return served
