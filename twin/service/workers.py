"""Processes that localize: a photo that crashes a decoder, or takes for ever, costs a process and not the service."""

import asyncio
import logging
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from geometry.errors import TiepointError, TwinError
from twin.service.problems import ServiceError, busy

logger = logging.getLogger(__name__)

Answer = tuple[str, Any]
USUAL_S = 1.0
START_S = 300.0
"""How long a process may prepare itself, which does not count for a call."""
READY: Answer = ("ready", None)


class Pool:
    """So many processes that each run ``target(connection)``: take a call, answer ("ok", value) or ("error", error).

    ``waiting`` calls may wait for a process to be free; one more is refused with when to try again.
    """

    def __init__(
        self, target: Callable[..., None], arguments: tuple[Any, ...], *, workers: int, waiting: int, seconds: float
    ) -> None:
        self._workers = [_Worker(target, arguments) for _ in range(workers)]
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="pool")
        self._free: asyncio.Queue[_Worker] = asyncio.Queue()
        for worker in self._workers:
            self._free.put_nowait(worker)
        self.limit, self.seconds, self.waiting = waiting, seconds, 0
        self._usual_s = USUAL_S

    @property
    def is_alive(self) -> bool:
        """Whether any process can work: it runs, and is done with its preparations."""
        return any(worker.is_alive and worker.is_ready for worker in self._workers)

    async def run(self, call: Any, is_wanted: Callable[[], Any] | None = None) -> Any:
        """Return the answer to a call. Raises ``ServiceError`` where too many wait, it takes too long or crashes.

        is_wanted: an awaitable function; asked when a process is free, since whoever waited may have gone
        """
        if self._free.empty() and self.waiting >= self.limit:
            await asyncio.sleep(0)
            wait = self._usual_s * (self.waiting + 1) / len(self._workers)
            raise busy(f"{self.waiting} photos wait already", wait)
        self.waiting += 1
        try:
            worker = await self._free.get()
        finally:
            self.waiting -= 1
        try:
            if is_wanted is not None and not await is_wanted():
                raise ServiceError(503, "whoever asked has gone")
            asked = asyncio.get_running_loop().run_in_executor(self._threads, worker.ask, call, self.seconds)
        except BaseException:
            self._free.put_nowait(worker)
            raise
        asked.add_done_callback(lambda _: self._free.put_nowait(worker))
        return await self._answer(asked)

    async def _answer(self, asked: "asyncio.Future[Answer]") -> Any:
        """Wait for an answer; who is cancelled meanwhile leaves the worker busy until it is done with the call."""
        start = time.perf_counter()
        try:
            kind, value = await asyncio.shield(asked)
        except TimeoutError:
            raise ServiceError(504, f"it took longer than {self.seconds:.0f} s and was given up") from None
        except EOFError:
            logger.error("a worker died of a call")
            raise ServiceError(503, "the work was broken off", headers={"Retry-After": "5"}) from None
        self._usual_s += 0.1 * (time.perf_counter() - start - self._usual_s)
        if kind == "error":
            status, what, where, remedy = value
            raise ServiceError(status, what, where=where, remedy=remedy)
        return value

    def close(self) -> None:
        """End all processes, busy ones too."""
        for worker in self._workers:
            worker.stop()
        self._threads.shutdown(wait=True)
        for worker in self._workers:
            worker.close()


class _Worker:
    _process: Any
    _connection: Any
    _is_ready: bool

    def __init__(self, target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self._target, self._arguments = target, arguments
        self._is_stopping = False
        self._start()

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    @property
    def is_ready(self) -> bool:
        return self._is_ready or self._connection.poll(0)

    def ask(self, call: Any, seconds: float) -> Answer:
        """Return the answer; ends the process and starts another where it takes too long or dies."""
        try:
            if not self._process.is_alive():
                self._restart()
            if not self._is_ready:
                if not self._connection.poll(START_S):
                    raise TimeoutError
                self._connection.recv()
                self._is_ready = True
            self._connection.send(call)
            if not self._connection.poll(seconds):
                raise TimeoutError
            answer: Answer = self._connection.recv()
            return answer
        except (TimeoutError, EOFError, OSError) as error:
            self._restart()
            raise error if isinstance(error, TimeoutError) else EOFError(str(error)) from error

    def stop(self) -> None:
        """End the process, whatever it does, so that who waits for its answer gets none."""
        self._is_stopping = True
        self._process.kill()

    def close(self) -> None:
        self._connection.close()
        self._process.join(5.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _start(self) -> None:
        self._is_ready = False
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=self._target, args=(theirs, *self._arguments), daemon=True)
        self._process.start()
        theirs.close()

    def _restart(self) -> None:
        if self._is_stopping:
            return
        self._process.kill()
        self._process.join()
        before = self._connection
        self._start()
        before.close()  # not earlier: others ask meanwhile whether it is ready


def serve_calls(connection: Any, handle: Callable[[Any], Any]) -> None:
    """Answer calls until the other side closes; to be called by a pool's target, once it is prepared."""
    connection.send(READY)
    while True:
        try:
            call = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer: Answer = ("ok", handle(call))
        except TwinError as error:
            answer = ("error", (503, f"the twin can't be used: {error.what}", None, None))
        except TiepointError as error:
            answer = ("error", (422, error.what, error.where, error.remedy))
        except Exception:
            logger.exception("a call failed")
            answer = ("error", (500, "it was logged under this request's id", None, None))
        connection.send(answer)
