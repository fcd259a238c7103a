"""The network that tells taken stalls from free ones, loaded (``docs/models.md``)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InputError
from perception.detection.making import SHIPPED as OWN_DETECTORS
from perception.occupancy.looks import MOST
from perception.occupancy.stall_crops import CHANNELS, HEIGHT_PX, WIDTH_PX, Pixels, StallCrops, mirrored, network_input
from perception.onnx_network import OnnxNetwork

OWN_KEY = "tiepoint_stalls"
SHIPPED = "tiepoint"
NONE = "none"
AT_ONCE = 32


def stall_network_file(name: str) -> Path:
    """Return the file of the network that comes along, for its name ``SHIPPED``, or of the one that a path names."""
    return Path(str(files("perception.weights") / "stalls.onnx")) if name == SHIPPED else Path(name)


def stall_network_for(name: str | None, detector: str) -> Path | None:
    """Return the file of what looks at stalls beside a detector, None for nothing.

    name: as ``stall_network_file`` takes it, or ``NONE``; None for the one that comes along, with its own detector only
    """
    if name is None:
        name = SHIPPED if detector in OWN_DETECTORS else NONE
    return None if name == NONE else stall_network_file(name)


class StallNetwork:
    """The network, loaded; ``slope`` is what its log-odds are to be multiplied by, from pictures that were held out."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Load a network that ``training.export`` wrote; ``InputError`` for any other file."""
        network = OnnxNetwork(path, threads=threads)
        self.name, self._session = network.name, network.session
        try:
            self.slope = float(json.loads(network.metadata[OWN_KEY])["slope"])
        except (KeyError, ValueError, TypeError) as error:
            raise InputError("it is no network of stalls that training.export wrote", where=str(path)) from error
        if (taken := self._session.get_inputs()[0].shape[1:]) != [CHANNELS, HEIGHT_PX, WIDTH_PX]:
            raise InputError(
                f"it looks at crops of {taken}, not of {[CHANNELS, HEIGHT_PX, WIDTH_PX]}",
                where=str(path),
                remedy="Export it anew: crops had another size when it was trained.",
            )

    def log_odds(self, crops: Pixels, places: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds (S,) that stalls are taken, of crops (S, H, W, 3) uint8 and places (S, 4, H, W).

        They are the means over looks and their mirror images, on which the network errs partly otherwise.
        """
        found = [np.zeros(0)]
        for start in range(0, len(crops), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            given = network_input(crops[part], places[part])
            both = [self._session.run(None, {"pictures": each})[0] for each in (given, mirrored(given))]
            found.append((np.asarray(both[0], dtype=np.float64) + both[1])[:, 0] / 2)
        return np.asarray(np.clip(self.slope * np.concatenate(found), -MOST, MOST))


@dataclass(frozen=True, kw_only=True, eq=False)
class StallSight:
    """The stalls that a camera looks at: their ids (S) and how to cut them out of its pictures."""

    stalls: tuple[str, ...]
    crops: StallCrops

    @classmethod
    def of(
        cls, camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, corners: Mapping[str, ArrayLike]
    ) -> "StallSight":
        """Prepare for stalls with corners (4, 3), site metres."""
        array = np.array([np.asarray(each) for each in corners.values()], dtype=np.float64).reshape(-1, 4, 3)
        return cls(stalls=tuple(corners), crops=StallCrops.of(camera, cam_from_site, array))

    def look(self, picture: Pixels, network: StallNetwork) -> dict[str, float]:
        """Return the probability of each stall being taken, by one picture (H, W, 3) uint8, RGB."""
        odds = network.log_odds(self.crops.cut(picture), self.crops.places)
        return dict(zip(self.stalls, (1 / (1 + np.exp(-odds))).round(4).tolist(), strict=True))
