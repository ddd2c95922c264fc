"""As which user PostgreSQL runs, which refuses root: ourselves, a namespace, or another user."""

import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass

NOBODY = 65534


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """`launch` is launch.py's word for it; `owner` is who must own the data on disk."""

    launch: str
    owner: int

    @property
    def is_foreign(self) -> bool:
        """Whether it cannot use what only we may read."""
        return self.launch.startswith("user:")


def candidates(*, uid: int, gid: int, known: list[int]) -> Iterator[Identity]:
    """The identities to try, best first.

    `known` are the users of the password file: `initdb` looks its own name up there. An ordinary
    known user runs as itself. Else a user namespace: the files stay ours, and so may lie in a
    folder of mode 0700. Where the kernel or a container refuses namespaces, root becomes a user
    without rights.
    """
    if uid != 0 and uid in known:
        yield Identity(launch="-", owner=uid)
        return
    inner = NOBODY if NOBODY in known else next((one for one in known if one != 0), None)
    if inner is not None:
        yield Identity(launch=f"namespace:{inner}:{gid or NOBODY}", owner=uid)
    if uid == 0 and inner is not None:
        yield Identity(launch=f"user:{inner}:{NOBODY}", owner=inner)


def candidates_here() -> list[Identity]:
    """The candidates for this process on this machine."""
    known = [entry.pw_uid for entry in pwd.getpwall()]
    return list(candidates(uid=os.geteuid(), gid=os.getegid(), known=known))
