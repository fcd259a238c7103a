"""The HTTP service under load, under attack, killed, and for half an hour live.

    python -m benchmarks.service PART [--work FOLDER] [--twin TWIN --photos FOLDER --cameras F] [--minutes M]

Each part can run alone and keeps what the others measured. ``overhead``, ``clients`` and ``overload`` ask a twin
where photos were taken; ``kill`` ends the service again and again while detections come in, on SQLite and PostgreSQL;
``hostile`` sends what no client would; ``schema`` runs schemathesis; ``live`` lets eight cameras run.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.protocol import ROOT, describe_machine, run, write_results


def main() -> None:
    """Run the parts that were asked for and add them to the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="some of the parts; by default all")
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--work", type=Path, default=Path("service-benchmark"), help="folder for all that is made")
    parser.add_argument("--twin", type=Path, help="a twin to ask, as of tiepoint map on a rendered garage")
    parser.add_argument("--photos", type=Path, help="folder of photos to ask about")
    parser.add_argument("--cameras", type=Path, help="cameras.csv of the photos")
    parser.add_argument("--minutes", type=float, help="of live, clients or schema, instead of 30, 5 and 10")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "service.json")
    arguments = parser.parse_args()
    parts = known_parts(arguments)
    for name in arguments.parts or list(parts):
        machine = describe_machine() | {"command": f"python -m benchmarks.service {name}"}  # and folders of one machine
        found = parts[name]()
        print(json.dumps({name: found}, indent=1, default=str)[:4000])
        before = json.loads(arguments.out.read_text("utf-8")) if arguments.out.is_file() else {}
        before.pop("machine", None)
        write_results(arguments.out, before | {name: {"measured_on": machine, **found}}, machine)


def known_parts(arguments: argparse.Namespace) -> dict[str, Callable[[], dict[str, Any]]]:
    """Return what runs each part."""
    from benchmarks import service_hostile, service_ingest, service_live, service_load, service_schema

    work, minutes = arguments.work, arguments.minutes

    def asked() -> service_load.Asked:
        return service_load.Asked.of(arguments.twin, arguments.photos, arguments.cameras)

    return {
        "overhead": lambda: service_load.overhead(asked(), work),
        "clients": lambda: service_load.clients(asked(), work, minutes or 5.0),
        "overload": lambda: service_load.overload(asked(), work),
        "kill": lambda: service_ingest.kill(work),
        "hostile": lambda: service_hostile.hostile(work, arguments.twin),
        "schema": lambda: service_schema.schema(work, arguments.twin, minutes or 10.0),
        "live": lambda: service_live.live(work, minutes or 30.0),
    }


if __name__ == "__main__":
    run(main)
