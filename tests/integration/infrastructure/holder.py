"""A program that holds a stack until it is ended: `python -m … FOLDER {json of given parts}`."""

import json
import sys
import time
from pathlib import Path

from shared.runtime.infrastructure import Embedded, InfrastructureError

if __name__ == "__main__":
    infrastructure = Embedded(Path(sys.argv[1]), given=json.loads(sys.argv[2]))
    try:
        addresses = infrastructure.start()
    except InfrastructureError as error:
        print(json.dumps({"error": str(error)}), flush=True)  # noqa: T201  (told to the test)
        sys.exit(1)
    told = {"kafka": addresses.kafka, "postgres": addresses.postgres, "redis": addresses.redis}
    print(json.dumps(told), flush=True)  # noqa: T201  (told to the test)
    time.sleep(600)
