#!/bin/sh
# Runs a command as a step of Tekton finds the machine: the same files, with Tekton's folder and the service account of
# its pod besides. In a mount namespace of its own (`unshare --mount`): nothing of it is seen by anybody else.
#
#   tekton_step.sh EMPTY_FOLDER SERVICE_ACCOUNT_FOLDER COMMAND…
set -eu
root=$1
account=$2
shift 2

mount -t tmpfs tmpfs "$root"
for entry in /*; do
    name=${entry#/}
    case $name in run | tekton) continue ;; esac
    if [ -L "$entry" ]; then
        cp -P "$entry" "$root/$name"
    elif [ -d "$entry" ]; then
        mkdir "$root/$name"
        mount --rbind "$entry" "$root/$name"
    else
        : >"$root/$name"
        mount --bind "$entry" "$root/$name"
    fi
done
mkdir -p "$root/tekton/results" "$root/run/secrets/kubernetes.io"
cp -r "$account" "$root/run/secrets/kubernetes.io/serviceaccount"
here=$PWD
# shellcheck disable=SC2016  # expanded inside
exec chroot "$root" sh -c 'cd "$0" && exec "$@"' "$here" "$@"
