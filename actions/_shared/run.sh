#!/usr/bin/env bash
# Runs `chainloop attestation COMMAND` for an action, on Linux, macOS and Windows (Git Bash): looks for a Python and
# hands over to run.py. The action's inputs arrive as variables and stay variables; none becomes part of a script.
set -euo pipefail

shared=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=actions/_shared/find_python.sh
. "$shared/find_python.sh"

find_python
# -I: nothing of the job's own PYTHONPATH, PYTHONHOME and user site. -B: nothing is written into the checkout.
exec "$python" -I -B -X utf8 "$shared/run.py" "$@"
