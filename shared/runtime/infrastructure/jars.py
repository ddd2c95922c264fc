"""Apache Kafka's jars, in the user's cache: resolved by jgo, each one checked against its sum.

    python -m shared.runtime.infrastructure.jars 4.4.0 FOLDER > kafka_jars.sha256

writes the list anew for another version (resolving and downloading it once).
"""

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.runtime.infrastructure.interface import InfrastructureError, Progress

LIST = Path(__file__).with_name("kafka_jars.sha256")
KAFKA = "org.apache.kafka:kafka_2.13"
# Kafka's jars bind no logging of their own; this small one writes to the standard error.
LOGGING = "org.slf4j:slf4j-simple:1.7.36"
DOWNLOADS_AT_ONCE = 4  # jgo opens a connection for each request; more of them cost, not help
TRIES_MAX = 3
TIMEOUT_SECONDS = 20
PARTIAL = ".partial-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """One jar: its Maven coordinate (group, artifact, version) and the SHA-256 of its bytes."""

    group: str
    artifact: str
    version: str
    sha256: str

    def __post_init__(self) -> None:
        assert len(self.sha256) == 64, self

    @property
    def path(self) -> Path:
        """Where it lies inside a Maven repository."""
        name = f"{self.artifact}-{self.version}.jar"
        return Path(*self.group.split("."), self.artifact, self.version, name)


def pinned_jars(listing: str) -> list[Jar]:
    """Read a list of lines `SHA256  group:artifact:version`; # begins a comment."""
    jars = []
    for line in listing.splitlines():
        if line and not line.startswith("#"):
            digest, coordinate = line.split()
            group, artifact, version = coordinate.split(":")
            jars.append(Jar(group=group, artifact=artifact, version=version, sha256=digest))
    return jars


def is_whole(jar: Jar, repository: Path) -> bool:
    """Whether the jar is there with the bytes that we know."""
    try:
        with (repository / jar.path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except OSError:
        return False


def class_path(cache: Path, progress: Progress) -> list[Path]:
    """All of Kafka's jars, downloaded if absent or damaged; needs no network otherwise.

    Raises InfrastructureError when a jar cannot be had.
    """
    jars = pinned_jars(LIST.read_text())
    repository = cache / "maven"
    with _only_one(cache):
        missing = [jar for jar in jars if not is_whole(jar, repository)]
        if missing:
            _download(missing, repository, progress)
    return [repository / jar.path for jar in jars]


@contextmanager
def _only_one(cache: Path) -> Iterator[None]:
    """Two stacks of one user do not download the same files at once."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "kafka.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(jars: Sequence[Jar], repository: Path, progress: Progress) -> None:
    repository.mkdir(parents=True, exist_ok=True)
    for leftover in repository.glob(f"{PARTIAL}*"):
        shutil.rmtree(leftover)
    partial = repository / f"{PARTIAL}{os.getpid()}"
    progress(f"Downloading Apache Kafka: {len(jars)} files, once, to {repository}.")
    try:
        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
            tasks = [pool.submit(_fetch, jar, repository, partial) for jar in jars]
            try:
                for number, task in enumerate(as_completed(tasks), 1):
                    task.result()
                    if number % 10 == 0:
                        progress(f"Downloading Apache Kafka: {number} of {len(jars)} files.")
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _fetch(jar: Jar, repository: Path, partial: Path) -> None:
    """Download into a folder of its own, check, then put in place: a half file never counts."""
    from requests import RequestException

    last: Exception | None = None
    for attempt in range(TRIES_MAX):
        folder = partial / f"{jar.artifact}-{attempt}"
        try:
            _ask_jgo(jar, folder)
        except (RequestException, RuntimeError) as error:  # RuntimeError: jgo found no such file
            last = error
            continue
        except OSError as error:
            raise InfrastructureError(
                f"Apache Kafka cannot be stored in {repository}: {error.strerror}. "
                "Free some space, or name another folder with STOCKTIDE_CACHE."
            ) from error
        if is_whole(jar, folder):
            target = repository / jar.path
            target.parent.mkdir(parents=True, exist_ok=True)
            (folder / jar.path).replace(target)
            return
        last = ValueError("its SHA-256 differs from the one kept in the project")
    raise InfrastructureError(
        f"{jar.artifact}-{jar.version}.jar could not be downloaded ({last}). The first start needs "
        f"the network once: check it (HTTPS_PROXY, a mirror in jgo.conf), or copy {repository} "
        "from a machine that has it, or name a running Kafka with STOCKTIDE_KAFKA."
    ) from last


def _ask_jgo(jar: Jar, folder: Path) -> None:
    """jgo's pure Python downloader, with the user's own mirrors first; starts no Java."""
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=folder, timeout=TIMEOUT_SECONDS)
    context.remote_repos = {**GlobalSettings.load().repositories, **context.remote_repos}
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    context.resolver.download(component.artifact(packaging="jar"))


def listing_of(version: str, repository: Path) -> str:
    """Resolve a version's dependencies with jgo, download them, and render their list."""
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=repository)
    wanted = [context.create_dependency(name) for name in (f"{KAFKA}:{version}", LOGGING)]
    inputs, others = context.resolver.resolve(wanted)
    artifacts = [one.artifact for one in inputs]
    artifacts += [one.artifact for one in others if one.scope in ("compile", "runtime")]
    # The largest come first: they are then downloaded beside all the small ones.
    found = [(artifact, artifact.resolve().read_bytes()) for artifact in artifacts]
    found.sort(key=lambda one: len(one[1]), reverse=True)
    lines = ["# Apache Kafka and what it needs, as jgo resolved it; the largest first."]
    for artifact, content in found:
        digest = hashlib.sha256(content).hexdigest()
        lines.append(f"{digest}  {artifact.groupId}:{artifact.artifactId}:{artifact.version}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(listing_of(sys.argv[1], Path(sys.argv[2])))
