"""The photos of a finished map: file, lens and pose of each, for whatever looks at pixels again."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pycolmap

from geometry import position_of


@dataclass(frozen=True, kw_only=True)
class MapPhoto:
    """A photo of the map.

    name: as in the map; path: its file; camera: its lens; cam_from_site: its pose
    """

    name: str
    path: Path
    camera: pycolmap.Camera
    cam_from_site: pycolmap.Rigid3d

    def is_over(self, elevation: float, ceiling: float) -> bool:
        """Tell whether it was taken between a floor and what is ``ceiling`` metres above."""
        return 0.0 < float(position_of(self.cam_from_site)[2]) - elevation < ceiling


def photos_of(reconstruction: pycolmap.Reconstruction, folder: Path) -> list[MapPhoto]:
    """Return the placed photos of a map in site in the order of their names; ``folder`` holds the files."""
    images: Mapping[str, pycolmap.Image] = {i.name: i for i in reconstruction.images.values() if i.has_pose}
    return [
        MapPhoto(name=name, path=folder / name, camera=image.camera, cam_from_site=image.cam_from_world())
        for name, image in sorted(images.items())
    ]
