"""What a client raises."""

from geometry.errors import TiepointError


class RefusedError(TiepointError):
    """The service refused; ``status`` is HTTP's, ``request_id`` finds the request in the service's log."""

    def __init__(self, status: int, what: str, remedy: str | None, request_id: str | None) -> None:
        super().__init__(what, where=f"HTTP {status}", remedy=remedy)
        self.status, self.request_id = status, request_id


class UnreachableError(TiepointError):
    """The service did not answer, however often it was asked."""
