"""A running service to measure: started as a process of its own, asked over HTTP, and ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import httpx
import psutil

from benchmarks.protocol import ROOT


class RunningService:
    """``tiepoint serve`` with some arguments, in a folder of its own for its data."""

    def __init__(self, twins: Sequence[Path], data: Path, *arguments: str, port: int | None = None) -> None:
        """Start; ``wait`` returns when it is ready."""
        self.data, self.port = data, port or free_port()
        data.mkdir(parents=True, exist_ok=True)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data / "service.log"
        call = "from twin.cli import main; main()"
        command = [sys.executable, "-c", call, "serve", *map(str, twins), "--data", str(data)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port), *arguments], stdout=log, stderr=log, env=environment, cwd=ROOT
            )

    def wait(self, seconds: float = 120.0) -> Self:
        """Wait until it is ready."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/v1/ready", timeout=5.0).status_code == 200:
                    return self
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise RuntimeError(f"the service did not start: {self.log.read_text()[-2000:]}")

    def rss_mb(self) -> float:
        """Return the resident memory of all its processes, MB."""
        main = psutil.Process(self.process.pid)
        total = 0
        for each in [main, *main.children(recursive=True)]:
            try:
                total += each.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total / 1e6

    def cpu_s(self) -> dict[str, float]:
        """Return the processor time so far of the main process and of all others together, seconds."""
        main = psutil.Process(self.process.pid)
        used = {"main": 0.0, "others": 0.0}
        for each in [main, *main.children(recursive=True)]:
            try:
                times = each.cpu_times()
            except psutil.NoSuchProcess:
                continue
            used["main" if each.pid == main.pid else "others"] += times.user + times.system
        return used

    def kill(self) -> None:
        """End it at once, as a loss of power would: the process and all its children."""
        main = psutil.Process(self.process.pid)
        family = [main, *main.children(recursive=True)]
        for each in family:
            if each.is_running():
                os.kill(each.pid, signal.SIGKILL)
        self.process.wait()
        psutil.wait_procs(family, timeout=10)

    def stop(self) -> float:
        """Ask it to end and return how long it took, seconds."""
        begin = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        return time.perf_counter() - begin

    def __enter__(self) -> Self:
        return self.wait()

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
