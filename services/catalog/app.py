"""Composition root of the catalog: consumer, imports, relay, HTTP."""

import asyncio
import hmac
import logging
import socket
from hashlib import sha256

from pydantic import SecretStr

from services.catalog import api, metrics
from services.catalog.handlers.batch import CatalogHandler
from services.catalog.handlers.importing import Importing
from services.catalog.handlers.reading import Reading
from services.catalog.handlers.releasing import Releasing
from services.catalog.repository.parking import PARKING
from services.catalog.repository.publishing import CatalogStates
from services.catalog.settings import CatalogSettings
from shared.contracts.topics import REFERENCE_DATA
from shared.kafka.consuming import Consuming
from shared.kafka.handling import ConsumerOptions
from shared.kafka.producing import open_producer
from shared.kafka.relaying import Relay
from shared.kafka.watching import watch
from shared.postgres.connecting import LastingConnection, Pool, connect, open_pool
from shared.postgres.measuring import measure
from shared.postgres.positions import Positions
from shared.runtime.clock import SystemClock, new_id
from shared.runtime.lifecycle import Process, run_process
from shared.runtime.settings import SettingsError, StackSettings, required
from shared.telemetry.metrics import PARKED_MESSAGES

log = logging.getLogger(__name__)

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
# An unpublished row names up to 2,000 records: a flight of these is some tens of megabytes.
ROWS_A_FLIGHT = 8


class Gatekeeper:
    """Judges who imports: a bearer token where there is a key, else whoever is on this machine."""

    def __init__(self, host: str, api_key: SecretStr | None) -> None:
        if api_key is None and host not in LOOPBACK:
            raise SettingsError(
                f"{CatalogSettings.variable('api_key')} is not set, and the catalog listens on "
                f"{host}: whoever reaches it could change products and policies. Set a key, or "
                "listen on 127.0.0.1."
            )
        key = None if api_key is None else api_key.get_secret_value().encode()
        self._digest = None if key is None else sha256(key).digest()

    def __call__(self, authorization: str) -> bool:
        """Compared in constant time: digests, so that lengths tell nothing either."""
        if self._digest is None:
            return True
        scheme, _, token = authorization.partition(" ")
        given = sha256(token.strip().encode()).digest()
        return scheme.lower() == "bearer" and hmac.compare_digest(given, self._digest)


async def build(process: Process) -> None:
    """Everything in one process; more of them share the partitions, and import in turn."""
    stack, settings, clock = StackSettings(), CatalogSettings(), SystemClock()
    dsn, kafka = required(stack.postgres, "postgres"), required(stack.kafka, "kafka")
    gatekeeper = Gatekeeper(stack.host, settings.api_key)
    pool = await open_pool(dsn, application="stocktide-catalog", size_max=6)
    process.resources.push_async_callback(pool.close)
    connection = LastingConnection(dsn, application="stocktide-catalog-worker")
    process.resources.push_async_callback(connection.close)
    producer = await open_producer(kafka, linger_ms=5)
    process.resources.push_async_callback(producer.stop)
    states = CatalogStates(pool)
    relay = Relay(states, producer, lambda: (0,), process.closing, rows_max=ROWS_A_FLIGHT)
    importing = Importing(
        lambda: connect(dsn, application="stocktide-catalog-import", statement_timeout="60s"),
        clock, process.closing,
        unpacked_bytes_max=settings.unpacked_bytes_max, woken=relay.wake,
    )  # fmt: skip
    handler = _add_consumer(process, kafka, pool, connection, states, settings)
    process.add("relay", relay.run)
    process.add("imports", importing.run)
    application = api.create(
        pool, importing, lambda ids: handler.replay(pool, ids), process.health,
        api.Limits(
            file_bytes_max=settings.file_bytes_max, read_seconds=settings.read_seconds,
            answer_seconds=settings.answer_seconds,
        ),
        is_allowed=gatekeeper, now=clock.now,
    )  # fmt: skip
    process.serve_http(application, host=stack.host, port=settings.port)


def _add_consumer(
    process: Process, kafka: str, pool: Pool, connection: LastingConnection,
    states: CatalogStates, settings: CatalogSettings,
) -> CatalogHandler:  # fmt: skip
    """Reference data from everyone, and policies that no longer tie."""
    clock, changed = SystemClock(), asyncio.Event()
    handler = CatalogHandler(connection, clock, policies_changed=changed.set)
    releasing = Releasing(pool, handler, changed, process.closing)
    consuming: Consuming[Reading] = Consuming(
        ConsumerOptions(
            servers=kafka, group="catalog", topics=(REFERENCE_DATA.name,),
            batch_max=lambda: settings.batch_max,
        ),
        handler,
        Positions(pool, schema="catalog", owner=f"{socket.gethostname()}/{new_id()}"),
        clock,
        process.closing,
    )  # fmt: skip

    def is_first() -> bool:
        return any(tp.partition == 0 for tp in consuming.assigned)

    process.add("consume", consuming.run)
    process.add("release", releasing.run)
    gauges = ((PARKED_MESSAGES.labels(metrics.SERVICE), PARKING.count),)
    process.add("count", lambda: measure(pool, gauges, process.closing, is_first=is_first))
    watch(process, consuming, metrics.SERVICE, oldest_seconds=states.oldest_seconds)
    return handler


def main() -> int:
    """Run the catalog until a signal."""
    return run_process("catalog", build, log_level=StackSettings().log_level)
