import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from tests.perception.sites import walk
from tests.twin.live.conftest import PATHS
from twin.cli import tiepoint
from twin.client import Client
from twin.live.database.connection import Database
from twin.live.database.schema import frames as frame_table
from twin.live.database.schema import progress

ROOT = Path(__file__).parents[3]


def run(*words):
    return CliRunner().invoke(tiepoint, [str(word) for word in words])


def test_keys_are_made_listed_and_revoked(tmp_path):
    made = run("key", "add", "robots", "--scope", "query", "--scope", "ingest", "--data", tmp_path)
    key = made.output.strip()
    assert key.startswith("tp_")
    (row,) = json.loads(run("key", "list", "--json", "--data", tmp_path).output)
    assert (row["name"], row["scopes"], row["revoked"]) == ("robots", "ingest query", None)
    assert key not in run("key", "list", "--data", tmp_path).output
    assert run("key", "revoke", row["id"], "--data", tmp_path).exit_code == 0
    assert "revoked" in run("key", "list", "--data", tmp_path).output


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--cameras", "a.json"), "TWIN="),
        (("--group", "nonsense"), "--group"),
        (("--video", "site=west"), "--video"),
        (("--port", "99999"), "99999"),
    ],
)
def test_what_is_wrong_with_the_command_is_told(words, text):
    done = run("serve", *words)
    assert done.exit_code == 2
    assert text in done.output


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_a_service_is_stopped_and_nothing_is_lost(site, tmp_path):
    """As a process: ready, fed, read live while it is told to stop; it ends by itself, with its state saved."""
    port = free_port()
    code = "from twin.cli import main; main()"
    words = ["serve", str(site), "--data", str(tmp_path), "--port", str(port), "--workers", "1"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", code, *words], cwd=ROOT, stderr=log, env={**os.environ})
    try:
        with Client(f"http://127.0.0.1:{port}", patience_s=0.0) as client:
            deadline = time.monotonic() + 120
            while not client.is_ready():
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                assert process.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.2)
            sent = walk(PATHS, 4.0, rng=np.random.default_rng(2))
            assert client.send("site", sent).accepted == len(sent)
            with httpx.stream("GET", f"http://127.0.0.1:{port}/v1/twins/site/live", params={"after": 0}) as stream:
                blocks = stream.iter_bytes()
                assert next(blocks)
                process.send_signal(signal.SIGTERM)
                for _ in blocks:
                    pass
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    database = Database(f"sqlite:///{tmp_path / 'tiepoint.db'}")
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(frame_table)).scalar_one() == len(sent)
        done, saved = connection.execute(sa.select(progress.c.done, progress.c.saved)).one()
    database.close()
    assert done == saved > 0
    for line in (tmp_path / "log").read_text().splitlines():
        assert json.loads(line)["level"] in ("info", "warning"), line


def test_beyond_this_machine_it_does_not_start_without_a_key(site, tmp_path):
    done = run("serve", site, "--host", "0.0.0.0", "--data", tmp_path)
    assert "without a key" in str(done.exception)
