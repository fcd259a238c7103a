"""One line of configuration for each engine: a folder, or the address of a server."""

import os
from collections.abc import Callable

from geometry.errors import InputError
from retrieval.stores.embedded import EmbeddedStore
from retrieval.stores.store import Store

ENVIRONMENT = "TIEPOINT_STORE"


def open_store(address: str | os.PathLike[str]) -> Store:
    """Open a store by its address.

    A path is an embedded store in that folder; ``milvus+http://HOST:19530`` (or ``+https``, with ``USER:PASSWORD@`` if
    need be) a Milvus server or cluster, ``opensearch+https://HOST:9200`` an OpenSearch cluster. Raises ``InputError``
    for another address, ``MissingExtraError`` without the engine's client, ``StoreError`` where no server answers.
    """
    text = os.fspath(address)
    if "://" not in text:
        return EmbeddedStore(text)
    engine, plus, url = text.partition("+")
    if not plus or engine not in _SERVERS or not url.startswith(("http://", "https://")):
        known = ", ".join(f"{name}+https://HOST:PORT" for name in sorted(_SERVERS))
        raise InputError(f"'{text}' is no address of a store", remedy=f"A folder, or {known}.")
    return _SERVERS[engine](url)


def _milvus(url: str) -> Store:
    from retrieval.stores.milvus import MilvusStore

    return MilvusStore(url)


def _opensearch(url: str) -> Store:
    from retrieval.stores.opensearch import OpenSearchStore

    return OpenSearchStore(url)


_SERVERS: dict[str, Callable[[str], Store]] = {"milvus": _milvus, "opensearch": _opensearch}
