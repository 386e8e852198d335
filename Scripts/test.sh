#!/usr/bin/env bash
# Runs all tests against the programs as they are shipped. Arguments: the build configuration, then any for `swift test`.
set -euo pipefail
cd "$(dirname "$0")/.."
configuration=${1:-release}
shift || true

export WITNESS_PYTHON="$PWD/.build/witness/bin/python"
[ -x "$WITNESS_PYTHON" ] || unset WITNESS_PYTHON
# A backtrace of a crashing child would take minutes and hang a run without a terminal.
export SWIFT_BACKTRACE=enable=no

swift build -c "$configuration" --build-tests
exec swift test -c "$configuration" --skip-build "$@"
