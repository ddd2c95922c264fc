"""A stack: servers, migrations, topics, services and simulators, brought up and kept together."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.cli.exits import CommandError
from services.cli.migrating import migrate_all
from services.cli.registry import Service
from services.cli.spawning import Child, Spawn, start_alone
from services.cli.state import (
    LOGS_FOLDER,
    ProcessState,
    StackState,
    own_record,
    remove_state,
    write_state,
)
from services.cli.supervisor import Supervisor
from services.cli.texts import tr
from services.cli.topics import create_topics
from shared.runtime.clock import SystemClock
from shared.runtime.infrastructure import Addresses
from shared.runtime.infrastructure.interface import Providers
from shared.runtime.infrastructure.ports import free_ports
from shared.runtime.settings import PREFIX

READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to bring up: services, other programs beside them, and settings for all of them."""

    kind: str
    folder: Path
    services: Sequence[Service]
    beside: Sequence[Child] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack that is up."""

    plan: Plan
    addresses: Addresses
    supervisor: Supervisor
    ports: Mapping[str, int]


def ports_for(wanted: Mapping[str, int]) -> dict[str, int]:
    """The wanted port of each name where it is free, else another one. Raises CommandError."""
    try:
        return free_ports(list(wanted), before=wanted, source=random.SystemRandom())
    except OSError as error:
        raise CommandError(str(error), tr("End what takes ports on this machine.")) from error


@asynccontextmanager
async def brought_up(
    plan: Plan,
    addresses: Addresses,
    providers: Providers,
    progress: Callable[[str], None],
    spawn: Spawn = start_alone,
) -> AsyncIterator[Stack]:
    """Migrate, make topics, start every process and wait until all are ready; stop them at exit.

    Raises CommandError when a process does not become ready, MigrationError, KafkaError.
    """
    wanted = [service.schema for service in plan.services if service.schema is not None]
    applied, created = await asyncio.gather(
        migrate_all(addresses.postgres, wanted), create_topics(addresses.kafka)
    )
    migrations = sum(map(len, applied.values()))
    progress(
        tr(
            "{migrations} migrations applied, {created} topics created.",
            migrations=migrations,
            created=len(created),
        )
    )
    ports = ports_for({service.name: service.port for service in plan.services})
    children = [*plan.beside, *_children(plan, addresses, ports)]
    supervisor = Supervisor(
        children, logs=plan.folder / LOGS_FOLDER, clock=SystemClock(), changed=lambda: note(),
        told=progress, spawn=spawn,
    )  # fmt: skip

    def note() -> None:
        write_state(plan.folder, _state(plan, addresses, providers, supervisor))

    try:
        await supervisor.start()
        note()
        late = await supervisor.wait_ready(READY_SECONDS)
        if late:
            raise _not_ready(late, plan.folder / LOGS_FOLDER)
        progress(tr("{children} processes are ready.", children=len(children)))
        yield Stack(plan=plan, addresses=addresses, supervisor=supervisor, ports=ports)
    finally:
        await supervisor.stop()
        remove_state(plan.folder)


def _not_ready(late: Sequence[str], logs: Path) -> CommandError:
    names = ", ".join(late)
    return CommandError(
        tr("Not ready after {seconds:.0f} s: {names}.", seconds=READY_SECONDS, names=names),
        tr("Read {log}; `stocktide doctor` looks at this machine.", log=logs / f"{late[0]}.log"),
    )


def _children(plan: Plan, addresses: Addresses, ports: Mapping[str, int]) -> list[Child]:
    common = {
        f"{PREFIX}KAFKA": addresses.kafka,
        f"{PREFIX}POSTGRES": addresses.postgres,
        f"{PREFIX}REDIS": addresses.redis,
        f"{PREFIX}SUPERVISOR": plan.kind,
        **plan.environment,
    }
    return [
        Child(
            name=service.name,
            target=service.target,
            port=ports[service.name],
            environment={**common, service.port_variable: str(ports[service.name])},
        )
        for service in plan.services
    ]


def _state(
    plan: Plan, addresses: Addresses, providers: Providers, supervisor: Supervisor
) -> StackState:
    return StackState(
        kind=plan.kind,
        supervisor=own_record(),
        providers=dict(providers),
        addresses=addresses,
        processes={
            name: ProcessState(pid=life.pid, port=life.child.port, restarts=life.restarts)
            for name, life in supervisor.lives.items()
        },
    )
