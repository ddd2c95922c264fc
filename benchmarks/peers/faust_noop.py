"""Peer: a faust agent that reads every event with its headers, and does nothing with it.

    python faust_noop.py KAFKA TOPIC PARTITIONS EVENTS SECONDS_MAX FOLDER

Prints {"events": …, "seconds": …}: from the first event to the last, or to the time limit.
Tuned: uvloop, raw bytes, large buffers and polls, no web server, rare offset commits.
"""

import json
import os
import sys
import threading
import time

import mode.loop

mode.loop.use("uvloop")  # as `faust -L uvloop` does, before faust is imported

import faust  # noqa: E402  (the loop is chosen before it)

KAFKA, TOPIC, PARTITIONS, EVENTS, SECONDS_MAX, FOLDER = sys.argv[1:7]
WANTED = int(EVENTS)

app = faust.App(
    f"faust-noop-{os.getpid()}",
    broker=f"aiokafka://{KAFKA}",
    store="memory://",
    datadir=FOLDER,
    web_enabled=False,
    topic_partitions=int(PARTITIONS),
    topic_replication_factor=1,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    stream_buffer_maxsize=65_536,
    broker_max_poll_records=10_000,
    consumer_max_fetch_size=4 * 1024 * 1024,
    broker_commit_every=100_000,
)
topic = app.topic(
    TOPIC, key_type=bytes, key_serializer="raw", value_type=bytes, value_serializer="raw"
)
count = 0
begun = 0.0


def tell() -> None:
    """Print what was done so far, and end without waiting for anything."""
    seconds = time.perf_counter() - begun if begun else 0.0
    print(json.dumps({"events": count, "seconds": seconds, "version": faust.__version__}))
    sys.stdout.flush()
    os._exit(0)


@app.agent(topic)
async def read(stream: "faust.StreamT[bytes]") -> None:
    """Touch the value and the headers of each event."""
    global count, begun
    async for event in stream.events():
        if not begun:
            begun = time.perf_counter()
        assert event.value and event.headers  # noqa: PT018  (the cheapest look at both)
        count += 1
        if count == WANTED:
            tell()


if __name__ == "__main__":
    limit = threading.Timer(float(SECONDS_MAX), tell)
    limit.daemon = True
    limit.start()
    faust.Worker(app, loglevel="ERROR", redirect_stdouts=False).execute_from_commandline()
