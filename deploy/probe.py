"""Whether the service of this container lives: asks its `/livez`; status 0 means yes."""

import os
import sys
import urllib.request
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from services.cli.registry import SERVICES, Service

TIMEOUT_SECONDS = 4.0
FIRST_PROCESS = Path("/proc/1/cmdline")


def service_of(arguments: Sequence[str]) -> Service | None:
    """The service of a command line `… run SERVICE`; None where the container runs none."""
    named = [name for verb, name in pairwise(arguments) if verb == "run"]
    return next((service for service in SERVICES if service.name in named), None)


def main() -> int:
    """Ask, and answer. Migrations, the demo and simulators have nothing to be asked."""
    service = service_of(FIRST_PROCESS.read_text().split("\0"))
    if service is None:
        return 0
    port = os.environ.get(service.port_variable, str(service.port))
    # Loopback, whatever STOCKTIDE_HOST says: it is this container that is asked.
    address = f"http://127.0.0.1:{port}/livez"
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS):
            return 0
    except OSError as error:
        sys.stderr.write(f"{service.name}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
