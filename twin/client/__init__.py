"""A typed client of the HTTP service, over httpx; calls are made again when the service is busy."""

from twin.client.client import Client
from twin.client.errors import RefusedError, UnreachableError

__all__ = ["Client", "RefusedError", "UnreachableError"]
