"""Which servers a stack runs on, and whether one runs in this folder already."""

from pathlib import Path

from services.cli.exits import CommandError, Exit
from services.cli.state import read_state
from services.cli.texts import tr
from shared.runtime.infrastructure import GivenAddresses, Infrastructure, choose
from shared.runtime.settings import StackSettings


def infrastructure_for(settings: StackSettings, folder: Path) -> Infrastructure:
    """The servers that the settings ask for; embedded ones keep their data in `folder`."""
    return choose(
        given=GivenAddresses(
            kafka=settings.kafka,
            postgres=settings.postgres.get_secret_value() if settings.postgres else None,
            redis=settings.redis.get_secret_value() if settings.redis else None,
        ),
        data_folder=folder,
        docker=settings.docker,
        cache=settings.cache,
    )


def refuse_second(folder: Path) -> None:
    """Raises CommandError while a stack runs in this folder."""
    state = read_state(folder)
    if state is not None:
        raise CommandError(
            tr(
                "A stack ({kind}, process {pid}) runs in {folder} already.",
                kind=state.kind,
                pid=state.supervisor.pid,
                folder=folder,
            ),
            tr("Look at it with `stocktide status`, or stop it with `stocktide down`."),
            Exit.REFUSED,
        )
