# chainloop: where an installed command lies
# after_script has a shell of its own, with another PATH than that of script.
chainloop_home=
for chainloop_place in "${RUNNER_TEMP_PROJECT_DIR:-/nowhere}" "${TMPDIR:-/tmp}"; do
  [ -w "$chainloop_place" ] || continue
  chainloop_place=$chainloop_place/chainloop-${CI_JOB_ID:-job}
  chainloop_home=${chainloop_home:-$chainloop_place}
  # Only a folder of our own user: another one could have been put there to be run.
  if [ -O "$chainloop_place" ] && [ -x "$chainloop_place/bin/chainloop" ]; then PATH=$chainloop_place/bin:$PATH; fi
done
