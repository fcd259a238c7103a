"""A real Milvus standalone server (PyPI ``milvus==2.3.5``) that nobody outside of this machine can reach.

It listens on every interface and can't be told not to, so it runs in a network namespace that has only a loopback of
its own (``unshare``). A socket in the file system leads in and out: inside, ``python milvus_server.py FOLDER`` passes
it on to the server; outside, ``served`` passes a port of 127.0.0.1 on to the socket.
"""

import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from threading import Thread

PORT = 19530
START_S, STOP_S = 240.0, 60.0
SOCKET = "server.sock"


def missing() -> str | None:
    """Return what is absent to run the server, or None."""
    if find_spec("pymilvus") is None:
        return "pymilvus is not installed"
    if find_spec("milvus") is None:
        return "the server is not installed (pip install --no-deps milvus==2.3.5, or its folder in PYTHONPATH)"
    if (
        which("unshare") is None
        or subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True).returncode
    ):
        return "unshare can't make a network namespace here"
    return None


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Run the server on data in ``folder`` and yield its address."""
    command = ["unshare", "-rn", sys.executable, __file__, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        told = process.stdout.readline()
        if told != "up\n":
            raise RuntimeError(f"the Milvus server did not come up; see {folder}/logs")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            Thread(target=_serve, args=(listener, lambda: _unix(folder)), daemon=True).start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        process.stdin.close()
        process.wait(STOP_S)
        process.stdout.close()


def _unix(folder: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.connect(str(folder / SOCKET))
    return made


def _serve(listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
    """Pass each connection on, both ways, until the listener is closed."""
    with suppress(OSError):
        while True:
            here, _ = listener.accept()
            there = connect()
            Thread(target=_pass_on, args=(here, there), daemon=True).start()
            Thread(target=_pass_on, args=(there, here), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while content := source.recv(1 << 16):
            target.sendall(content)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


def _run(folder: Path) -> None:
    """Inside of the namespace: run the server until standard input ends."""
    from milvus import MilvusServer, MilvusServerConfig  # type: ignore[import-not-found]

    _raise_loopback()
    config = MilvusServerConfig(data_dir=str(folder))
    server = MilvusServer(config, wait_for_started=False)
    server.set_base_dir(str(folder))
    os.environ["HOME"] = str(folder)
    with open(os.devnull, "w") as nowhere:
        kept, sys.stdout = sys.stdout, nowhere
        server.start()
        sys.stdout = kept
    process = server.server_proc
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None and not _answers():
        time.sleep(0.5)
    if process.poll() is None and _answers():
        (folder / SOCKET).unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / SOCKET))
            listener.listen(64)
            inside = lambda: socket.create_connection(("127.0.0.1", PORT))  # noqa: E731
            Thread(target=_serve, args=(listener, inside), daemon=True).start()
            print("up", flush=True)
            sys.stdin.read()
    # the package's own stop kills after a second, which leaves a lease that delays the next start by a minute
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(30)
    process.kill()
    process.wait()
    server.server_proc = None
    os._exit(0)


def _answers() -> bool:
    """Tell whether the server says that it is healthy, which it does later than it listens."""
    import urllib.request

    with suppress(OSError), urllib.request.urlopen("http://127.0.0.1:9091/healthz", timeout=1) as answer:
        return bool(answer.status == 200 and b"OK" in answer.read())
    return False


def _raise_loopback() -> None:
    """Bring the loopback of a new namespace up (SIOCSIFFLAGS with IFF_UP)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, 0x8914, struct.pack("16sh22x", b"lo", 1))


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
