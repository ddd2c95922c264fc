"""Which provider serves which part: addresses where given, else embedded, else Docker if asked."""

from pathlib import Path

from shared.runtime.infrastructure.docker import Docker
from shared.runtime.infrastructure.embedded import Embedded
from shared.runtime.infrastructure.given import Given
from shared.runtime.infrastructure.interface import PARTS, GivenAddresses, Infrastructure


def choose(
    *, given: GivenAddresses, data_folder: Path, docker: bool, cache: Path | None = None
) -> Infrastructure:
    """The infrastructure for what the environment says. Starts nothing.

    `data_folder` is where embedded servers keep their data, `cache` their downloads; `docker` asks
    for containers instead of embedded servers, for the parts that are not given.
    """
    named = given.named()
    if len(named) == len(PARTS):
        return Given(named)
    if docker:
        return Docker(given=named)
    return Embedded(data_folder, cache=cache, given=named)
