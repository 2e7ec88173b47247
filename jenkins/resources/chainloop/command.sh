#!/bin/sh
# Runs the command that is on the PATH, or says how it gets there.
if ! command -v chainloop >/dev/null 2>&1; then
  printf '%s\n' '' "chainloop: there is no command \`chainloop\` on this agent (${NODE_NAME:-unknown})" '' \
    'It gets there in one of three ways:' \
    '1. The argument `source` of the step: the git address of chainloop, or the folder of a checkout on the agent. It needs' \
    '   Python 3.11 or newer and is installed once for each agent and version, in an environment of its own.' \
    '2. chainloopInstall(source: ADDRESS) { … } around several steps.' \
    '3. An image that has it, in `agent { docker { image … } }`. Build it once in a checkout of chainloop:' \
    '     docker build --target cli --tag registry.example.com/acme/chainloop:1 .' >&2
  exit 1
fi
