#!/bin/sh
# Looks for a Python that can make an environment, and hands over to install.py. What the step was given are variables
# and stay variables. Everything for people goes to stderr: stdout is the answer.
chainloop_found=
for chainloop_python in "${CHAINLOOP_INSTALL_PYTHON:-}" python3 python python3.14 python3.13 python3.12 python3.11; do
  command -v "${chainloop_python:-no-such-command}" >/dev/null 2>&1 || continue
  # It has to answer: a program that is no Python may well end with 0.
  chainloop_answer=$("$chainloop_python" -I -c 'import sys, venv, ensurepip; print(sys.version_info >= (3, 11))' \
    2>/dev/null </dev/null)
  if [ "$chainloop_answer" = True ]; then
    exec "$chainloop_python" -I -B -X utf8 "$CHAINLOOP_INSTALL_SCRIPT"
  fi
  chainloop_found="$chainloop_found $chainloop_python is $("$chainloop_python" -V 2>&1 </dev/null | head -n 1);"
done
printf '%s\n' '' \
  "chainloopInstall: no Python 3.11 or newer with its modules venv and ensurepip is on this agent (${NODE_NAME:-unknown}); found:${chainloop_found:- none}" '' \
  'Ways out:' \
  '1. Install one on the agent, on Debian and Ubuntu `apt-get install python3-venv`, or name one: chainloopInstall(python: PATH).' \
  '2. Run the step on another agent, by its label.' \
  '3. Run it in an image that has the command, and leave `source` out. Build it once in a checkout of chainloop:' \
  '     docker build --target cli --tag registry.example.com/acme/chainloop:1 .' >&2
exit 1
