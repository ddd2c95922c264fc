"""Lint the project in the working folder, once for each case of imports planted in it.

    python linting.py < CASES

CASES is JSON, [[[file, module to import], …], …]; the last line of the output is JSON too, the
names of the broken contracts of each case. A program of its own, because the linter finds the
packages by importing them. A case without plants changes no file.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def planted(plants: Sequence[tuple[str, str]]) -> Iterator[None]:
    """The imports stand at the ends of their files, until the block ends."""
    before = {path: Path(path).read_text() for path, _ in plants}
    for path, target in plants:
        with Path(path).open("a") as file:
            file.write(f"import {target}\n")
    yield
    for path, text in before.items():
        Path(path).write_text(text)


def broken_contracts() -> list[str]:
    """The names of the contracts that the project breaks as it is now."""
    from importlinter.application import use_cases

    options = use_cases.read_user_options(".importlinter")
    use_cases._register_contract_types(options)  # as lint_imports does
    report = use_cases.create_report(options, cache_dir=None)
    assert not report.invalid_contract_options, report.invalid_contract_options
    return [
        contract.name for contract, check in report.get_contracts_and_checks() if not check.kept
    ]


def main() -> None:
    """Import the linter with the working folder first on the path, and answer each case."""
    sys.path.insert(0, os.getcwd())
    from importlinter import configuration

    configuration.configure()
    answers: list[list[str]] = []
    for case in json.load(sys.stdin):
        with planted(case):
            answers.append(broken_contracts())
    sys.stdout.write("\n" + json.dumps(answers) + "\n")


if __name__ == "__main__":
    main()
