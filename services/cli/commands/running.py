"""`up`, `down` and `run`: a stack in the foreground, its end from elsewhere, one service alone."""

import asyncio
import importlib
import os
import signal
import time
from collections.abc import Sequence

from services.cli.console import say
from services.cli.exits import CommandError, Exit
from services.cli.registry import chosen, service_named
from services.cli.servers import infrastructure_for, refuse_second
from services.cli.spawning import Nursery, Spawn
from services.cli.stack import Plan, Stack, brought_up
from services.cli.state import LOGS_FOLDER, read_state, running_folder, running_stack
from services.cli.texts import tr
from shared.runtime.infrastructure import Addresses, described, started
from shared.runtime.infrastructure.interface import Providers
from shared.runtime.infrastructure.ports import is_free
from shared.runtime.infrastructure.processes import is_alive
from shared.runtime.settings import PREFIX, StackSettings

DOWN_SECONDS = 50.0


def bring_up(names: Sequence[str]) -> Exit:
    """Servers, migrations, topics and services until Ctrl-C."""
    services = chosen(names)
    settings = StackSettings()
    folder = settings.data.absolute()
    refuse_second(folder)
    infrastructure = infrastructure_for(settings, folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with Nursery(folder / LOGS_FOLDER) as nursery, started(infrastructure, say) as addresses:
        say(tr("Servers: {providers}.", providers=described(infrastructure.providers)))
        plan = Plan(kind="up", folder=folder, services=services)
        asyncio.run(_stay(plan, addresses, infrastructure.providers, nursery.start))
    say(tr("Stopped; the data stays."))
    return Exit.OK


async def _stay(plan: Plan, addresses: Addresses, providers: Providers, spawn: Spawn) -> None:
    async with brought_up(plan, addresses, providers, say, spawn) as stack:
        say(block(stack))
        await closing_on_signals().wait()  # a Ctrl-C before this ends everything at once
        say(tr("Stopping."))


def closing_on_signals() -> asyncio.Event:
    """An event that Ctrl-C and SIGTERM set."""
    closing, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, closing.set)
    return closing


def block(stack: Stack) -> str:
    """What a person needs: addresses, where data lies, how to stop."""
    lines = [f"  {name:22} http://127.0.0.1:{port}" for name, port in stack.ports.items()]
    lines += [
        f"  {child.name:22} http://127.0.0.1:{child.port}"
        for child in stack.plan.beside
        if child.port is not None
    ]
    return "\n".join(
        [
            "",
            *lines,
            f"  {'Kafka':22} {stack.addresses.kafka}",
            f"  {tr('data and logs'):22} {stack.plan.folder}",
            f"  {tr('look'):22} stocktide status · stocktide logs -f · stocktide stock get SKU",
            f"  {tr('stop'):22} {tr('Ctrl-C, or `stocktide down` in another terminal')}",
            "",
        ]
    )


def bring_down() -> Exit:
    """Tell the supervisor to end, and wait until it has."""
    data = StackSettings().data.absolute()
    folder = running_folder(data)
    if folder is None:
        say(tr("No stack runs in {data}.", data=data))
        return Exit.OK
    state = read_state(folder)
    if state is None:  # it ended between the two looks
        return Exit.OK
    os.kill(state.supervisor.pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    while is_alive(state.supervisor):
        if time.monotonic() > deadline:
            raise CommandError(
                tr("Process {pid} does not end.", pid=state.supervisor.pid),
                tr("Kill it: `kill -9 {pid}`; its children end with it.", pid=state.supervisor.pid),
            )
        time.sleep(0.1)
    say(tr("Stopped; the data stays."))
    return Exit.OK


def run_service(name: str) -> Exit:
    """One service in this very process, on the addresses given or those of the running stack."""
    service = service_named(name)
    settings = StackSettings()
    if settings.kafka is None or settings.postgres is None or settings.redis is None:
        state = running_stack(settings.data.absolute())
        os.environ[f"{PREFIX}KAFKA"] = state.addresses.kafka
        os.environ[f"{PREFIX}POSTGRES"] = state.addresses.postgres
        os.environ[f"{PREFIX}REDIS"] = state.addresses.redis
    port = int(os.environ.get(service.port_variable, service.port))
    if port and not is_free(port):
        raise CommandError(
            tr(
                "Port {port} is taken, perhaps by a {name} that runs already (`stocktide status`).",
                port=port,
                name=name,
            ),
            tr(
                "Give this one another: {port_variable}={value} stocktide run {name}.",
                port_variable=service.port_variable,
                value=port + 100,
                name=name,
            ),
        )
    module, _, function = service.target.partition(":")
    status: int = getattr(importlib.import_module(module), function)()
    return Exit.OK if status == 0 else Exit.FAILED
