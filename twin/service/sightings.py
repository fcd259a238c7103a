"""The stores of sightings of the served twins, opened when first asked."""

import threading
from pathlib import Path
from typing import Any

from geometry import InputError, MissingExtraError
from retrieval.stores.opening import open_store
from retrieval.stores.store import Collection, StoreError
from twin.service.catalog import Served
from twin.service.problems import ServiceError
from twin.service.settings import Settings
from twin.sighting_index import store_address

COLLECTION = "sightings"


class SightingStores:
    """Opens each twin's store once; calls to one store come one after the other."""

    def __init__(self, settings: Settings) -> None:
        self._addresses = settings.store
        self._model = settings.embedding_model
        self._network: Any = None
        self._stores: dict[str, Any] = {}
        self.lock = threading.Lock()

    def has_any(self, served: Served) -> bool:
        """Tell whether a twin has a store of sightings."""
        address = self._address(served)
        return "+" in address.partition("://")[0] or Path(address).is_dir()

    def _address(self, served: Served) -> str:
        return self._addresses.get(served.name) or store_address(served.folder)

    def collection(self, served: Served) -> Collection:
        """Return a twin's sightings; a ``ServiceError`` of 409 where there are none."""
        address = self._address(served)
        if not self.has_any(served):
            raise ServiceError(
                409, f"twin '{served.name}' has no sightings", remedy="Fill a store with tiepoint index, and name it."
            )
        try:
            if address not in self._stores:
                self._stores[address] = open_store(address)
            return self._stores[address].open(COLLECTION)
        except (StoreError, InputError, MissingExtraError) as error:
            raise ServiceError(503, "the store of sightings can't be used", headers={"Retry-After": "30"}) from error

    def network(self) -> Any:
        """Return the network that embeds pictures; a ``ServiceError`` of 409 where none was given."""
        if self._model is None:
            raise ServiceError(
                409, "no network was given to embed a picture", remedy="Send an embedding or an id instead."
            )
        if self._network is None:
            from twin.onnx_embedding import OnnxEmbedding

            self._network = OnnxEmbedding(self._model)
        return self._network

    def close(self) -> None:
        """Close all stores."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()
