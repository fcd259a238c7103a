"""The twin's folder on disk: checksums, atomic publication, and opening with refusal of anything damaged."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geometry import TwinDamagedError, TwinError, TwinFormatError
from geometry.folders import put_in_place

FORMAT = 1
MANIFEST = "twin.yaml"


class SiteFrame(BaseModel):
    """How the map was tied to the site.

    aligned_by: the evidence used, empty where the frame is the map's own; metric: whether a unit is a metre
    covariance: (7, 7) of the alignment over (log scale, rotation vector, translation) about ``centroid``
    chi2_per_dof: of the alignment; undetermined: what the evidence leaves open, in words
    """

    model_config = ConfigDict(extra="forbid")

    aligned_by: list[str]
    metric: bool
    covariance: list[list[float]] | None = None
    centroid: list[float] | None = None
    chi2_per_dof: float | None = None
    undetermined: list[str] = Field(default_factory=list)


class Manifest(BaseModel):
    """What twin.yaml says; ``version`` counts the updates of one site's map."""

    model_config = ConfigDict(extra="forbid")

    format: int
    name: str
    version: int = 1
    created: str
    tiepoint: str
    units: str = "m"
    georeference: dict[str, float] | None = None
    frame: SiteFrame
    features: dict[str, Any]
    lenses: dict[int, str]
    mapping: dict[str, Any]
    files: dict[str, str] = Field(default_factory=dict)


def publish(target: Path, manifest: Manifest, write: Callable[[Path], None]) -> None:
    """Write a twin with ``write(folder)`` beside ``target``, add the manifest, and put it in place in one step.

    A crash at any instant leaves the old twin or the new one. Raises ``TwinError`` where ``target`` exists and is no
    twin, so that nobody's folder is replaced by mistake.
    """
    require_replaceable(target)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent))
    try:
        write(staging)
        files = {path.relative_to(staging).as_posix(): sha256(path) for path in _files(staging)}
        complete = manifest.model_copy(update={"files": files})
        text = yaml.safe_dump(complete.model_dump(), sort_keys=False, allow_unicode=True)
        (staging / MANIFEST).write_text(text, "utf-8")
        staging.chmod(0o755)
        put_in_place(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def require_replaceable(target: Path) -> None:
    """Raise ``TwinError`` where ``target`` holds something that is not a twin."""
    if target.exists() and not (target / MANIFEST).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise TwinError("exists and is not a twin", where=str(target), remedy="Choose another --out.")


def read_manifest(folder: Path) -> Manifest:
    """Return what twin.yaml says.

    Raises ``TwinError`` where there is no twin, ``TwinFormatError`` for a newer one, ``TwinDamagedError`` otherwise.
    """
    path = folder / MANIFEST
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise TwinError(
            "is not a twin: it has no twin.yaml", where=str(folder), remedy="Make one with: tiepoint map"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TwinDamagedError(f"unreadable ({error})", where=str(path), remedy="Restore it or map again.") from error
    version = content.get("format") if isinstance(content, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise TwinFormatError(
            f"format {version} is newer than this Tiepoint reads ({FORMAT})", where=str(path), remedy="Update Tiepoint."
        )
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise TwinDamagedError(what, where=str(path), remedy="Restore it or map again.") from error


def missing_files(folder: Path, manifest: Manifest) -> list[str]:
    """Return what the manifest lists and the folder lacks."""
    return [f"{name} is missing" for name in sorted(manifest.files) if not (folder / name).is_file()]


def problems(folder: Path) -> list[str]:
    """Return everything wrong with the files of a twin: missing, altered, or not listed. Empty for a sound one.

    Raises as ``read_manifest``.
    """
    manifest = read_manifest(folder)
    present = {path.relative_to(folder).as_posix() for path in _files(folder)} - {MANIFEST}
    found = [f"{name} is missing" for name in sorted(manifest.files.keys() - present)]
    found += [f"{name} is not listed in {MANIFEST}" for name in sorted(present - manifest.files.keys())]
    for name in sorted(manifest.files.keys() & present):
        if sha256(folder / name) != manifest.files[name]:
            found.append(f"{name} was altered: its sha256 differs")
    return found


def sha256(path: Path) -> str:
    """Return the hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
