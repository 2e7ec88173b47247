# chainloop: where an installed command lies
# after_script has a shell of its own, with another PATH than that of script.
chainloop_home=
# Jobs to come are known by their numbers: an earlier one could leave a command for them, where the runner keeps its
# folders. What stands for the job's token cannot be foreseen.
chainloop_mark=
if [ -n "${CI_JOB_TOKEN:-}" ]; then chainloop_mark=-$(printf %s "$CI_JOB_TOKEN" | cksum) || :; fi
for chainloop_place in "${RUNNER_TEMP_PROJECT_DIR:-/nowhere}" "${TMPDIR:-/tmp}"; do
  [ -w "$chainloop_place" ] || continue
  chainloop_place=$chainloop_place/chainloop-${CI_JOB_ID:-job}${chainloop_mark%% *}
  chainloop_home=${chainloop_home:-$chainloop_place}
  # Only a folder of our own user, and no link to one: another one could have been put there to be run.
  if [ -O "$chainloop_place" ] && [ ! -L "$chainloop_place" ] && [ -x "$chainloop_place/bin/chainloop" ]; then PATH=$chainloop_place/bin:$PATH; fi
done
