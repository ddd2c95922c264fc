#!/bin/sh
# Resolve one lock: run, demo, dev or bench. Called by `make lock`.
set -eu
compile() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header "$@"
}
case "$1" in
    run) compile pyproject.toml -o requirements/run.txt ;;
    demo) compile pyproject.toml --extra demo -c requirements/run.txt -o requirements/demo.txt ;;
    dev) compile pyproject.toml --extra demo --extra dev -c requirements/demo.txt -o requirements/dev.txt ;;
    bench) compile requirements/bench.in -o requirements/bench.txt ;;
    *) echo "usage: compile.sh run|demo|dev|bench" >&2; exit 2 ;;
esac
