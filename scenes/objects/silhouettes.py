"""Proportions of vehicles: what makes a hatchback, an estate or a van, apart from size and colour.

Heights are shares of the vehicle's height. Positions along it are shares of its length, 0 at the rear and 1 at the
front.
"""

from dataclasses import dataclass
from typing import Literal, get_args

VehicleKind = Literal["car", "hatchback", "suv", "estate", "van", "pickup", "motorcycle"]
KINDS: tuple[VehicleKind, ...] = get_args(VehicleKind)

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Silhouette:
    """The side view of a four-wheeled kind.

    length, width, height: ranges in metres
    deck: (position, height) of trunk lid, beltline and hood, from rear to front
    cabin: rear and front position of the greenhouse at the belt; roof: the same at the roof
    belt: height of the lower edge of the windows
    roof_width: share of the belt's width
    axles: positions of rear and front axle; wheel: diameter; clearance: height of the sill
    pillars: shares of the side's windows' length (0 rear) where pillars stand, with the width of each
    windows: from which of these shares on a side has glass
    cladding: height up to which the flanks are unpainted plastic
    """

    length: Range
    width: Range
    height: Range
    deck: tuple[tuple[float, float], ...]
    cabin: Range
    roof: Range
    belt: float
    roof_width: float
    axles: Range
    wheel: float
    clearance: float
    pillars: tuple[float, ...] = (0.52,)
    windows: float = 0.0
    cladding: float = 0.0


SILHOUETTES: dict[VehicleKind, Silhouette] = {
    "car": Silhouette(
        length=(4.45, 4.85), width=(1.78, 1.86), height=(1.42, 1.48),
        deck=((0, 0.62), (0.012, 0.70), (0.03, 0.735), (0.15, 0.735), (0.25, 0.70), (0.55, 0.675), (0.71, 0.665),
              (0.80, 0.635), (0.93, 0.555), (0.975, 0.50), (1, 0.43)),
        cabin=(0.115, 0.725), roof=(0.275, 0.555), belt=0.675, roof_width=0.77, axles=(0.205, 0.80), wheel=0.445,
        clearance=0.13,
    ),
    "hatchback": Silhouette(
        length=(3.85, 4.30), width=(1.70, 1.80), height=(1.45, 1.52),
        deck=((0, 0.50), (0.012, 0.60), (0.04, 0.66), (0.25, 0.655), (0.70, 0.64), (0.78, 0.62), (0.92, 0.555),
              (0.97, 0.51), (1, 0.42)),
        cabin=(0.015, 0.745), roof=(0.10, 0.55), belt=0.65, roof_width=0.77, axles=(0.185, 0.80), wheel=0.425,
        clearance=0.13,
    ),
    "suv": Silhouette(
        length=(4.35, 4.80), width=(1.82, 1.92), height=(1.62, 1.74),
        deck=((0, 0.46), (0.012, 0.58), (0.035, 0.655), (0.25, 0.655), (0.70, 0.645), (0.76, 0.635), (0.91, 0.595),
              (0.97, 0.555), (1, 0.44)),
        cabin=(0.015, 0.72), roof=(0.085, 0.545), belt=0.65, roof_width=0.79, axles=(0.195, 0.805), wheel=0.425,
        clearance=0.155, cladding=0.26,
    ),
    "estate": Silhouette(
        length=(4.55, 4.85), width=(1.78, 1.86), height=(1.45, 1.52),
        deck=((0, 0.50), (0.012, 0.60), (0.03, 0.67), (0.25, 0.67), (0.70, 0.65), (0.79, 0.625), (0.93, 0.55),
              (0.975, 0.50), (1, 0.42)),
        cabin=(0.012, 0.72), roof=(0.075, 0.555), belt=0.66, roof_width=0.78, axles=(0.21, 0.80), wheel=0.435,
        clearance=0.13, pillars=(0.30, 0.64),
    ),
    "van": Silhouette(
        length=(4.70, 5.20), width=(1.90, 1.99), height=(1.92, 2.02),
        deck=((0, 0.38), (0.008, 0.50), (0.02, 0.57), (0.25, 0.575), (0.78, 0.565), (0.84, 0.545), (0.93, 0.50),
              (0.975, 0.455), (1, 0.36)),
        cabin=(0.004, 0.885), roof=(0.03, 0.70), belt=0.57, roof_width=0.86, axles=(0.20, 0.80), wheel=0.345,
        clearance=0.11, pillars=(0.30, 0.67), windows=0.67, cladding=0.15,
    ),
    "pickup": Silhouette(
        length=(4.80, 5.30), width=(1.84, 1.94), height=(1.76, 1.84),
        deck=((0, 0.52), (0.008, 0.60), (0.02, 0.625), (0.33, 0.625), (0.45, 0.63), (0.70, 0.63), (0.78, 0.615),
              (0.92, 0.575), (0.975, 0.53), (1, 0.43)),
        cabin=(0.365, 0.715), roof=(0.405, 0.575), belt=0.63, roof_width=0.80, axles=(0.22, 0.815), wheel=0.425,
        clearance=0.175, pillars=(0.48,),
    ),
}  # fmt: skip
