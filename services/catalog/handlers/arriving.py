"""A file on its way in: onto the disk as it arrives, hashed, never longer than allowed."""

import hashlib
import tempfile
from typing import IO


class TooLarge(Exception):  # noqa: N818  (it names what is so)
    """More bytes than a file may have."""


class Arrival:
    """What has arrived of a file; it lies in a file without a name, gone when it is closed."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._hash = hashlib.sha256()
        # Whoever takes the file closes it.
        self.file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (it outlives this block)
        self.size = 0

    def add(self, part: bytes) -> None:
        """The next bytes. Raises TooLarge."""
        self.size += len(part)
        if self.size > self._bytes_max:
            raise TooLarge
        self._hash.update(part)
        self.file.write(part)

    def finish(self) -> bytes:
        """The hash of it all; the file stands at its beginning."""
        self.file.seek(0)
        return self._hash.digest()
