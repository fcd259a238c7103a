"""What no client would send: 500 malformed and hostile requests."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import sqlalchemy as sa

from benchmarks.service_attack import Attack, send
from benchmarks.service_attack_content import bad_archives, bad_images, too_large
from benchmarks.service_attack_http import bad_http, slow, traversal, wrong_keys
from benchmarks.service_attack_words import bad_json, bad_queries
from benchmarks.service_ingest import recording
from benchmarks.service_server import RunningService
from twin.live.database.connection import Database
from twin.live.database.schema import metadata
from twin.service.keys import Keys

COUNT, SEED = 500, 3
SLOW = 8
SCOPES = ("query", "ingest", "admin")
UNTOUCHED = ("frames", "records", "latest", "keys")


def hostile(work: Path, twin: Path | None) -> dict[str, Any]:
    """Return how 500 requests were answered, and whether anything was written."""
    site, _ = recording(work)
    twins = [site, *([twin.resolve()] if twin is not None else [])]
    asked = twin.resolve().name if twin is not None else site.name
    data = work / "hostile"
    with prepared(data) as keys, RunningService(twins, data, "--workers", "1", "--rate", "100000") as service:
        database = Database(f"sqlite:///{data.resolve() / 'tiepoint.db'}")
        good = {"authorization": f"Bearer {keys['all']}"}
        before = written(database, data)
        rng = np.random.default_rng(SEED)
        attacks = list(islice(every_attack(site.name, asked, rng), COUNT - SLOW))
        answers: Counter[str] = Counter()
        wrong: list[dict[str, Any]] = []
        with httpx.Client(base_url=service.url, timeout=60.0) as client, ThreadPoolExecutor(SLOW) as threads:
            dribble = slow(site.name, keys["all"])
            waiting = [threads.submit(send, client, service.port, dribble, keys) for _ in range(SLOW)]
            got = [(attack, *send(client, service.port, attack, keys)) for attack in attacks]
            got += [(dribble, *each.result()) for each in waiting]
            for attack, status, body in got:
                answers[f"{attack.kind}: {status}"] += 1
                if not 400 <= status < 500 or "Traceback" in body or 'File "' in body:
                    wrong.append({"kind": attack.kind, "status": status, "body": body[:200], "path": attack.path})
            alive = [client.get("/v1/ready").status_code, client.get("/v1/twins", headers=good).status_code]
        after = written(database, data)
        database.close()
    return {
        "requests": len(got),
        "answered_4xx": len(got) - len(wrong),
        "wrong": wrong[:20],
        "answers": dict(sorted(answers.items())),
        "written": {name: [before[name], after[name]] for name in before if before[name] != after[name]},
        "alive_after": alive == [200, 200],
    }


class prepared:
    """Keys for a service that is to be started: one with every scope, one for asking alone, one revoked."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def __enter__(self) -> dict[str, str]:
        self._data.mkdir(parents=True, exist_ok=True)
        database = Database(f"sqlite:///{self._data.resolve() / 'tiepoint.db'}")
        database.upgrade()
        keys = Keys(database)
        made = {"all": keys.make("all", SCOPES), "query": keys.make("asks", ["query"])}
        made["revoked"] = keys.make("revoked", SCOPES)
        keys.revoke(made["revoked"].split("_")[1])
        database.close()
        return made

    def __exit__(self, *_: object) -> None:
        return None


def written(database: Database, data: Path) -> dict[str, Any]:
    """Return how much is in every table that requests could fill, and which files lie around."""
    with database.read() as connection:
        rows = {
            name: connection.execute(sa.select(sa.func.count()).select_from(metadata.tables[name])).scalar_one()
            for name in UNTOUCHED
        }
    files = sorted(
        path.relative_to(data).as_posix()
        for path in data.rglob("*")
        if not path.name.startswith(("tiepoint.db", "service.log"))
    )
    return rows | {"files": files, "beside": sorted(path.name for path in data.parent.iterdir())}


def every_attack(site: str, asked: str, rng: np.random.Generator) -> Iterator[Attack]:
    """Yield attacks of all kinds in turn."""
    kinds = [
        list(bad_images(asked, rng)),
        list(too_large(site, asked)),
        list(traversal(site)),
        list(bad_archives(site)),
        list(wrong_keys(site, rng)),
        list(bad_json(site, rng)),
        list(bad_queries(site, asked)),
        list(bad_http(site)),
    ]
    turn = 0
    while True:
        for attacks in kinds:
            yield attacks[turn % len(attacks)]
        turn += 1
