"""Rules on texts: sizes, suppressions with their reasons, and what no file may name.

Each rule takes a project's root and returns its findings.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import files_of, modules_of

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
SUPPRESSION = re.compile(
    r"""\#\s*(?:type:\s*ignore|noqa)\b
    (?P<codes>:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|\[[\w-]+(?:,\s*[\w-]+)*\])?
    (?P<reason>.*)$""",
    re.VERBOSE,
)
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|root|home|tmp|Users)/\w")
# Joined here so that this file names none of them.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"), ("pythonhosted", "org"),
        ("maven", "org"), ("maven", "apache", "org"), ("sonatype", "com"),
        ("npmjs", "org"), ("npmjs", "com"), ("yarnpkg", "com"),
        ("debian", "org"), ("ubuntu", "com"),
    )
)  # fmt: skip


def modules_are_small(root: Path) -> list[str]:
    """At most 400 lines a module."""
    return [
        f"{module.path}: {lines} lines, {MODULE_LINES_MAX} at most"
        for module in modules_of(root)
        if (lines := len(module.text.splitlines())) > MODULE_LINES_MAX
    ]


def functions_are_small(root: Path) -> list[str]:
    """At most 50 lines a function, its own functions counted with it."""
    found: list[str] = []
    for module in modules_of(root):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None, "a parsed node ends somewhere"
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    found.append(
                        f"{module.path}:{node.lineno}: {node.name} has {lines} lines, "
                        f"{FUNCTION_LINES_MAX} at most"
                    )
    return found


def suppressions_say_why(root: Path) -> list[str]:
    """What silences a tool names the rule and gives a reason of at least two words."""
    found: list[str] = []
    for module in modules_of(root):
        for number, line in enumerate(module.text.splitlines(), 1):
            match = SUPPRESSION.search(line)
            if match is None:
                continue
            words = re.findall(r"\w+", match["reason"])
            if match["codes"] is None or len(words) < 2:
                found.append(f"{module.path}:{number}: a suppression without rule or reason")
    return found


def no_file_names_a_registry(root: Path) -> list[str]:
    """Packages come from whatever index the machine is set up for; no file names one."""
    return [
        f"{path}:{number}: names {host}"
        for path, number, line in _lines(root)
        for host in REGISTRIES
        if host in line
    ]


def no_file_names_a_machine_path(root: Path) -> list[str]:
    """No absolute path of somebody's machine."""
    return [
        f"{path}:{number}: {match[0]}…"
        for path, number, line in _lines(root)
        if (match := MACHINE_PATH.search(line))
    ]


def _lines(root: Path) -> Iterator[tuple[str, int, str]]:
    for path in files_of(root):
        try:
            text = (root / path).read_text()
        except UnicodeDecodeError:
            continue  # not a text
        for number, line in enumerate(text.splitlines(), 1):
            yield path, number, line
