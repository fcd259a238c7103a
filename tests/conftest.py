"""Fixtures for tests outside ``tests/twin`` that need its capture and its twin as well."""

from tests.twin.conftest import rendered, small_twin

__all__ = ["rendered", "small_twin"]
