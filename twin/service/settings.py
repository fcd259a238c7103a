"""How the service runs, all in one place."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import quote

from geometry.errors import InputError
from perception.occupancy.network import NONE
from twin.live.task import DEFAULT_GROUP, LiveOptions

MB = 2**20
LOOPBACK = ("127.0.0.1", "::1", "localhost")
LONGEST_GROUP = 40


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one request, one client and all of them together may cost.

    image_bytes, image_pixels, images: of photos in a request; body_bytes: of other requests; stream_bytes: of a stream
    of detections; upload_bytes, unpacked_bytes: of a twin, packed and unpacked
    body_s: by when a body of photos or JSON is there; upload_s: of a twin, or a stream; header_s: of a request's head
    waiting: photos that may wait for a worker, beyond those being worked on; localize_s: longest work on one request
    query, ingest, admin: requests of a key, or of an address without one; failed: wrong keys of an address
    streams: live streams at once; stream_seconds: after which one ends, to be resumed; connections: of all kinds
    """

    image_bytes: int = 25 * MB
    image_pixels: int = 50_000_000
    images: int = 8
    body_bytes: int = 8 * MB
    stream_bytes: int = 512 * MB
    upload_bytes: int = 4096 * MB
    unpacked_bytes: int = 8192 * MB
    body_s: float = 30.0
    upload_s: float = 1800.0
    header_s: float = 10.0
    waiting: int = 8
    localize_s: float = 60.0
    query: str = "1200/minute"
    ingest: str = "12000/minute"
    admin: str = "120/minute"
    failed: str = "600/minute"
    streams: int = 100
    stream_seconds: float = 3600.0
    connections: int = 1000

    @classmethod
    def at_rate(cls, per_minute: int, **more: Any) -> Self:
        """Return limits with so many requests of a key a minute, ten times as many of frames."""
        return cls(
            query=f"{per_minute}/minute", ingest=f"{10 * per_minute}/minute", admin=f"{per_minute}/minute", **more
        )

    def body_limit(self, path: str) -> tuple[int, float]:
        """Return how many bytes a request's body may have, and how long it may take to arrive."""
        if path.endswith("/frame"):
            return self.image_bytes + MB, self.body_s
        if path.endswith("/localize"):
            return self.images * self.image_bytes + MB, self.body_s
        if path.endswith("/detections/stream"):
            return self.stream_bytes, self.upload_s
        if path.endswith("/versions"):
            return self.upload_bytes, self.upload_s
        return self.body_bytes, self.body_s


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What ``tiepoint serve`` is told.

    twins: folders of twins, named by their folder's name; data: folder of the database and of uploaded twins
    database: URL, by default SQLite in ``data``; cameras: by twin, a cameras.json instead of the twin's own
    groups: by twin, names of groups with their cameras, each tracked by a process of its own
    store: by twin, address of its sightings; embedding_model: the ONNX network for searching by picture
    crops, reports: by twin, folders of the crops of its sightings, and of pages about it
    videos: by twin, where cameras' pictures are: files, folders, addresses; detector: what looks at them and at
        pictures that are sent, as ``make_detector`` names it; without one there are none
    stalls: what looks at the stalls of videos' cameras, as ``stall_network_for`` takes it
    workers: processes that localize
    """

    twins: tuple[Path, ...]
    data: Path
    host: str = "127.0.0.1"
    port: int = 8080
    database: str | None = None
    cameras: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))
    groups: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=lambda: MappingProxyType({}))
    store: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    embedding_model: Path | None = None
    videos: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    detector: str | None = None
    stalls: str | None = None
    crops: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))
    reports: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))
    workers: int = field(default_factory=lambda: max(1, min(4, os.cpu_count() or 1)))
    limits: Limits = field(default_factory=Limits)
    live: LiveOptions = field(default_factory=LiveOptions)

    def __post_init__(self) -> None:
        names = [folder.resolve().name for folder in self.twins]
        for name in {name for name in names if names.count(name) > 1}:
            raise InputError(f"two twins are called '{name}'", remedy="Rename one of the folders.")
        for groups in self.groups.values():
            _check_groups(groups)
        if self.videos and self.detector is None:
            raise InputError("nothing looks at the videos", remedy="Name a detector: --detector tiepoint.")
        if self.stalls not in (None, NONE) and not self.videos:
            raise InputError("there are no videos in which to look at stalls", remedy="Name some: --video.")
        if not 1 <= self.workers <= 64 or not 0 <= self.port < 65536:
            raise InputError("workers or port out of range", remedy="1 to 64 workers, a port below 65536.")

    @property
    def database_url(self) -> str:
        """The database's URL."""
        return self.database or f"sqlite:///{quote(str(self.data.resolve() / 'tiepoint.db'))}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOOPBACK


def _check_groups(groups: Mapping[str, tuple[str, ...]]) -> None:
    """Raise ``InputError`` for names that can't be kept apart, and for a camera of two groups."""
    for name in groups:
        if name == DEFAULT_GROUP or len(name) > LONGEST_GROUP:
            remedy = f"At most {LONGEST_GROUP} letters, and not '{DEFAULT_GROUP}': so cameras of no group are called."
            raise InputError(f"'{name[:80]}' can't be a group's name", remedy=remedy)
    named = [camera for cameras in groups.values() for camera in cameras]
    for camera in {camera for camera in named if named.count(camera) > 1}:
        raise InputError(f"camera '{camera}' is named twice in the groups")
