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
# What chainloopInstall has put there reads the network's variables itself.
case $(command -v chainloop) in "${CHAINLOOP_JENKINS_PROGRAMS:-none}"/*) ;; *)
  if [ -n "${CHAINLOOP_PROXY:-}" ]; then
    HTTPS_PROXY=$CHAINLOOP_PROXY HTTP_PROXY=$CHAINLOOP_PROXY https_proxy=$CHAINLOOP_PROXY http_proxy=$CHAINLOOP_PROXY
    export HTTPS_PROXY HTTP_PROXY https_proxy http_proxy
  fi
  if [ -n "${CHAINLOOP_NO_PROXY:-}" ]; then
    NO_PROXY=$CHAINLOOP_NO_PROXY no_proxy=$CHAINLOOP_NO_PROXY
    export NO_PROXY no_proxy
  fi
  if [ -n "${CHAINLOOP_CA_BUNDLE:-}" ]; then
    SSL_CERT_FILE=$CHAINLOOP_CA_BUNDLE REQUESTS_CA_BUNDLE=$CHAINLOOP_CA_BUNDLE
    export SSL_CERT_FILE REQUESTS_CA_BUNDLE
  fi
esac
