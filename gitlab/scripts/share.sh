# chainloop: the attestation that the first job began
CHAINLOOP_ATTESTATION_ID=${CHAINLOOP_OUTPUT_ATTESTATION_ID:-}
CHAINLOOP_SEALED_HANDLE=${CHAINLOOP_OUTPUT_SEALED_HANDLE:-}
export CHAINLOOP_ATTESTATION_ID CHAINLOOP_SEALED_HANDLE
if [ -z "$CHAINLOOP_ATTESTATION_ID" ] && [ "${CI_JOB_STATUS:-running}" = running ]; then
  echo 'chainloop: no attestation was begun for this job: its first job gave none, or is not among the `needs` of this one' >&2
fi
