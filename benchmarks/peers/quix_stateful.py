"""Peer: Quix Streams counting events by key in its state (RocksDB, with a changelog topic).

    python quix_stateful.py KAFKA TOPIC PARTITIONS EVENTS SECONDS_MAX FOLDER

Prints {"events": …, "seconds": …}: from the first event to the last, or to the time limit. The
headers are read with `metadata=True`. Tuned: bytes, large librdkafka queues and fetches, a
checkpoint a second at most.
"""

import json
import os
import sys
import threading
import time
from importlib.metadata import version
from typing import Any

from quixstreams import Application

KAFKA, TOPIC, PARTITIONS, EVENTS, SECONDS_MAX, FOLDER = sys.argv[1:7]
WANTED = int(EVENTS)

app = Application(
    broker_address=KAFKA,
    consumer_group=f"quix-stateful-{os.getpid()}",
    auto_offset_reset="earliest",
    auto_create_topics=True,
    state_dir=FOLDER,
    loglevel="ERROR",
    commit_interval=1.0,
    consumer_extra_config={
        "queued.min.messages": 200_000,
        "queued.max.messages.kbytes": 262_144,
        "max.partition.fetch.bytes": 4 * 1024 * 1024,
        "fetch.max.bytes": 64 * 1024 * 1024,
    },
    producer_extra_config={"linger.ms": 20, "acks": "all"},
)
topic = app.topic(TOPIC, key_deserializer="bytes", value_deserializer="bytes")
frame = app.dataframe(topic)
count = 0
begun = 0.0


def tell() -> None:
    """Print what was done so far, and end without waiting for anything."""
    seconds = time.perf_counter() - begun if begun else 0.0
    print(json.dumps({"events": count, "seconds": seconds, "version": version("quixstreams")}))
    sys.stdout.flush()
    os._exit(0)


def add(value: bytes, key: object, timestamp: int, headers: object, state: Any) -> None:
    """Count each event under its key; Quix keeps the state by the message's key."""
    global count, begun
    if not begun:
        begun = time.perf_counter()
    assert value and headers  # noqa: PT018  (the cheapest look at both)
    state.set("count", state.get("count", 0) + 1)
    count += 1
    if count == WANTED:
        tell()


frame.update(add, stateful=True, metadata=True)

if __name__ == "__main__":
    limit = threading.Timer(float(SECONDS_MAX), tell)
    limit.daemon = True
    limit.start()
    app.run()
