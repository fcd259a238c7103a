"""Schemathesis over the service's OpenAPI document, with all checks."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks.protocol import ROOT
from benchmarks.service_hostile import prepared
from benchmarks.service_ingest import recording
from benchmarks.service_server import RunningService
from geometry import InputError


def schema(work: Path, twin: Path | None, minutes: float) -> dict[str, Any]:
    """Run schemathesis with all checks, first with names that are made up, then with a twin that is there."""
    if twin is None:
        raise InputError("schemathesis needs a twin that localizes", remedy="Give --twin.")
    site, _ = recording(work)
    data, arguments = work / "schema", ("--workers", "1", "--rate", "10000000", "--stream-seconds", "0.5")
    found: dict[str, Any] = {"minutes": minutes}
    with prepared(data) as keys, RunningService([site, twin.resolve()], data, *arguments) as service:
        for name, path_twin in (
            ("made_up_names", None),
            ("a_twin", site.name),
            ("a_twin_with_a_map", twin.resolve().name),
        ):
            found[name] = _schemathesis(service, keys["all"], data, name, path_twin, 60 * minutes / 3)
            print(name, found[name], flush=True)
        found["alive_after"] = httpx.get(f"{service.url}/v1/ready").status_code == 200
    return found


CONFIGURATION = """
hooks = "benchmarks.service_hooks"
[auth.openapi.key]
bearer = "{key}"
{parameters}
[[operations]]
include-path = "/v1/twins/{{twin}}/versions"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "413", "422", "429"]
[[operations]]
include-path = "/v1/twins/{{twin}}/localize"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "415", "422", "429", "503"]
"""
"""What a schema can't say: that bytes are a sound twin, or a photo, and that the parts of a lens fit each other."""


def _schemathesis(
    service: RunningService, key: str, data: Path, name: str, twin: str | None, seconds: float
) -> dict[str, Any]:
    config, report = (data / f"{name}.toml").resolve(), (data / f"{name}.txt").resolve()
    parameters = "" if twin is None else f'[parameters]\n"path.twin" = "{twin}"\n'
    config.write_text(CONFIGURATION.format(key=key, parameters=parameters), "utf-8")
    command = [
        str(Path(sys.executable).with_name("st")),
        "--config-file",
        str(config),
        "run",
        f"{service.url}/v1/openapi.json",
        "--checks",
        "all",
        "--max-time",
        str(int(seconds)),
        "--continue-on-failure",
        "--no-color",
        "--request-timeout",
        "60",
        "--wait-for-schema",
        "60",
        "--header",
        f"Authorization: Bearer {key}",
    ]
    begin = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=data, env=environment)
    report.write_text(done.stdout + done.stderr, "utf-8")
    cases = re.search(r"([\d,]+) generated", done.stdout)
    failures = re.search(r"found (\d+) unique failure", done.stdout)
    return {
        "seconds": time.perf_counter() - begin,
        "exit": done.returncode,
        "cases": int(cases[1].replace(",", "")) if cases else None,
        "unique_failures": int(failures[1]) if failures else 0,
        "summary": done.stdout[done.stdout.rfind("= SUMMARY") :][:1500],
    }
