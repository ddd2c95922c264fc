"""Become a server that ends with its guardian: run by path, before the server's own program.

    python -I -S launch.py GUARDIAN_PID DEATH_SIGNAL IDENTITY FOLDER PROGRAM [ARGUMENT …]

IDENTITY is "-" (as we are), "namespace:UID:GID" (a user namespace in which we have that name) or
"user:UID:GID" (give up root for that user). A program of its own, not a `preexec_fn`: code between
fork and exec of a process with threads can deadlock. The order matters: the kernel forgets the
death signal when a process changes its user (prctl(2), PR_SET_PDEATHSIG).
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000


def main(arguments: list[str]) -> None:
    """Take on the identity, tie our life to the guardian's, and become the program."""
    guardian, death_signal, identity, folder, *command = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    take_identity(libc, identity)
    if sys.platform == "linux" and libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl refused the death signal")
    if os.getppid() != int(guardian):  # it ended before the kernel was told
        sys.exit("the guardian has ended")
    os.chdir(folder)
    os.execv(command[0], command)  # noqa: S606  (the point of this program; no shell wanted)


def take_identity(libc: ctypes.CDLL, identity: str) -> None:
    """Raises OSError where the kernel refuses."""
    kind, _, ids = identity.partition(":")
    if kind == "-":
        return
    uid, gid = (int(part) for part in ids.split(":"))
    if kind == "user":
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        return
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are refused here")
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {outer_uid} 1"),
        ("gid_map", f"{gid} {outer_gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(content)


if __name__ == "__main__":
    main(sys.argv[1:])
