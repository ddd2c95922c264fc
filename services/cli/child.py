"""Become one service: run a target with its life tied to the supervisor's.

    python -m services.cli.child MODULE[:FUNCTION] [ARGUMENT …]

Standard input is a pipe from the supervisor. Its end, which comes however the supervisor ends, is
the order to end; this works where the kernel knows no death signal for children, and across
sessions.
"""

import importlib
import os
import runpy
import signal
import sys
import threading
import time

# A little more than a service needs to finish what it holds (shared.runtime.lifecycle).
LAST_SECONDS = 5.0


def main(arguments: list[str]) -> int:
    """Tie, then run `MODULE:FUNCTION`, or MODULE as a program; returns the target's status."""
    target, *rest = arguments
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    module, _, function = target.partition(":")
    sys.argv = [target, *rest]
    if not function:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return 0
    status = getattr(importlib.import_module(module), function)()
    return status if isinstance(status, int) else 0


def _end_with_supervisor() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
