"""Traffic on a facility: vehicles that drive, park and leave, and people on foot."""

from scenes.traffic.episode import (
    Episode,
    States,
    TrafficObject,
    instances_at,
    occupancy_at,
    site_from_model,
    states_at,
)
from scenes.traffic.following import DriverModel
from scenes.traffic.simulate import TrafficOptions, simulate

__all__ = [
    "DriverModel",
    "Episode",
    "States",
    "TrafficObject",
    "TrafficOptions",
    "instances_at",
    "occupancy_at",
    "simulate",
    "site_from_model",
    "states_at",
]
