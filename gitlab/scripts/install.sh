# chainloop: get the command, or say what would help
chainloop_explain() {
  chainloop_registry=${CI_REGISTRY_IMAGE:-registry.example.com/acme}
  printf '%s\n' '' "chainloop: $1" '' \
    'The command gets into a job in one of three ways:' \
    '1. An image that has it. Build and push it once, in a checkout of chainloop:' \
    "     docker build --target cli --tag $chainloop_registry/chainloop:1 ." \
    "     docker push $chainloop_registry/chainloop:1" \
    '   and name it in the input `image` of the template, or in `image:` of the job.' \
    '2. An image with Python 3.11 or newer (with its module venv), and the input `source`: the git address of chainloop,' \
    '   or the folder of a checkout. It is installed from the hash-locked list there, in an environment of its own.' \
    '3. A job of its own: this one only keeps its files as artifacts, and the ready job of the template attests them.' >&2
  exit 1
}

chainloop_find_python() {
  chainloop_found=
  for chainloop_python in "${CHAINLOOP_INSTALL_PYTHON:-}" python3 python python3.14 python3.13 python3.12 python3.11; do
    command -v "${chainloop_python:-no-such-command}" >/dev/null 2>&1 || continue
    # It has to answer: a program that is no Python may well end with 0.
    chainloop_answer=$("$chainloop_python" -I -c 'import sys, venv, ensurepip; print(sys.version_info >= (3, 11))' \
      2>/dev/null </dev/null) || :
    [ "$chainloop_answer" != True ] || return 0
    chainloop_found="$chainloop_found $chainloop_python is $("$chainloop_python" -V 2>&1 | head -n 1);"
  done
  chainloop_explain "no Python 3.11 or newer with its module venv is in the image of this job; found:${chainloop_found:- none}"
}

chainloop_network() {
  if [ -n "${CHAINLOOP_PROXY:-}" ]; then
    HTTPS_PROXY=$CHAINLOOP_PROXY HTTP_PROXY=$CHAINLOOP_PROXY https_proxy=$CHAINLOOP_PROXY http_proxy=$CHAINLOOP_PROXY
    export HTTPS_PROXY HTTP_PROXY https_proxy http_proxy
  fi
  if [ -n "${CHAINLOOP_NO_PROXY:-}" ]; then
    NO_PROXY=$CHAINLOOP_NO_PROXY no_proxy=$CHAINLOOP_NO_PROXY
    export NO_PROXY no_proxy
  fi
  if [ -n "${CHAINLOOP_CA_BUNDLE:-}" ]; then
    PIP_CERT=$CHAINLOOP_CA_BUNDLE GIT_SSL_CAINFO=$CHAINLOOP_CA_BUNDLE
    export PIP_CERT GIT_SSL_CAINFO
  fi
  if [ -n "${CHAINLOOP_INSTALL_INDEX:-}" ]; then
    PIP_INDEX_URL=$CHAINLOOP_INSTALL_INDEX
    export PIP_INDEX_URL
  fi
}

# The job's own token may read a project of the same server: git asks for it when that server wants a login, and for no
# other one that it is led to. No helper of the image is asked, or told to keep it.
chainloop_git_login() {
  GIT_TERMINAL_PROMPT=0
  export GIT_TERMINAL_PROMPT
  case $CHAINLOOP_INSTALL_SOURCE in "${CI_SERVER_URL:-no server}"/*) ;; *) return ;; esac
  GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=credential.helper GIT_CONFIG_VALUE_0= GIT_CONFIG_KEY_1=credential.$CI_SERVER_URL.helper
  # shellcheck disable=SC2016  # expanded when git asks
  GIT_CONFIG_VALUE_1='!f() { printf "username=gitlab-ci-token\npassword=%s\n" "$CI_JOB_TOKEN"; }; f'
  export GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0 GIT_CONFIG_KEY_1 GIT_CONFIG_VALUE_1
}

chainloop_fetch() {
  if [ -d "$CHAINLOOP_INSTALL_SOURCE" ]; then
    ln -s "$(cd -- "$CHAINLOOP_INSTALL_SOURCE" && pwd)" "$chainloop_home/source"
  elif command -v git >/dev/null 2>&1; then
    chainloop_git_login
    git init --quiet "$chainloop_home/source" \
      && cd "$chainloop_home/source" \
      && git fetch --quiet --depth 1 -- "$CHAINLOOP_INSTALL_SOURCE" "${CHAINLOOP_INSTALL_REF:-HEAD}" \
      && git checkout --quiet FETCH_HEAD \
      && cd - >/dev/null \
      || chainloop_explain "git could not fetch ${CHAINLOOP_INSTALL_REF:-HEAD} of the input source"
  else
    chainloop_explain "the input source is no folder here, and there is no git in the image of this job to fetch it with"
  fi
  [ -f "$chainloop_home/source/requirements/client.txt" ] \
    || chainloop_explain "the input source holds no checkout of chainloop: requirements/client.txt is not in it"
}

chainloop_install() {
  chainloop_find_python
  rm -rf "$chainloop_home" && (umask 077 && mkdir -p "$chainloop_home/bin") && [ -O "$chainloop_home" ] \
    || chainloop_explain "$chainloop_home cannot be made, or belongs to somebody else"
  chainloop_network
  chainloop_fetch
  set -- --require-hashes --no-deps -r "$chainloop_home/source/requirements/client.txt"
  if [ -n "${CHAINLOOP_INSTALL_WHEELS:-}" ]; then set -- --no-index --find-links "$CHAINLOOP_INSTALL_WHEELS" "$@"; fi
  "$chainloop_python" -I -m venv "$chainloop_home/environment" \
    && "$chainloop_home/environment/bin/python" -I -m pip install --quiet --disable-pip-version-check "$@" \
    || chainloop_explain "the packages of requirements/client.txt could not be installed"
  # -P and PYTHONPATH: neither the job's folder nor its own PYTHONPATH has a say in what is imported.
  # shellcheck disable=SC2016  # expanded when the command runs
  printf '%s\n' '#!/bin/sh' 'home=${0%/bin/chainloop}' 'unset PYTHONHOME' \
    'PYTHONPATH=$home/source exec "$home/environment/bin/python" -P -m chainloop_ci "$@"' >"$chainloop_home/bin/chainloop"
  chmod 700 "$chainloop_home/bin/chainloop"
}

if ! command -v chainloop >/dev/null 2>&1; then
  # shellcheck disable=SC2016  # backticks for people
  [ -n "${CHAINLOOP_INSTALL_SOURCE:-}" ] || chainloop_explain 'there is no command `chainloop` in the image of this job'
  # A shell of its own: what is set for the installation is not set for the job.
  (chainloop_install) || exit 1
  PATH=$chainloop_home/bin:$PATH
fi
