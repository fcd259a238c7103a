"""Vehicles and people as parametric models."""

from scenes.objects.people import PersonSpec, draw_person_spec, person
from scenes.objects.silhouettes import KINDS, VehicleKind
from scenes.objects.vehicles import VehicleSpec, draw_vehicle_spec, vehicle

__all__ = [
    "KINDS",
    "PersonSpec",
    "VehicleKind",
    "VehicleSpec",
    "draw_person_spec",
    "draw_vehicle_spec",
    "person",
    "vehicle",
]
