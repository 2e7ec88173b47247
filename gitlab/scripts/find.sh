# chainloop: where an installed command lies
# after_script has a shell of its own, with another PATH than that of script.
chainloop_home=${TMPDIR:-/tmp}/chainloop-${CI_JOB_ID:-job}
if [ -w "${RUNNER_TEMP_PROJECT_DIR:-/nowhere}" ]; then
  chainloop_home=$RUNNER_TEMP_PROJECT_DIR/chainloop-${CI_JOB_ID:-job}
fi
# Only a folder of our own user: another one could have been put there to be run.
if [ -O "$chainloop_home" ] && [ -x "$chainloop_home/bin/chainloop" ]; then
  PATH=$chainloop_home/bin:$PATH
fi
