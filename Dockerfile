# Two images from one checkout: `cli`, in which jobs run, and `server`, the control plane. docs/our-images.md has the commands.
# BASE is any Debian or Ubuntu with Python 3.11 or newer (with its module venv), a shell and the public CA certificates.
# The default is a tag, which moves, and not what the tests build upon: docs/our-images.md says what was run.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
# As pip reads them: a package index of your own, or a folder of wheels that the build has mounted.
ARG PIP_INDEX_URL
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
ARG PIP_CERT
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1
WORKDIR /build
RUN test -s /etc/ssl/certs/ca-certificates.crt || { echo "the base image has no CA certificates" >&2; exit 1; }
RUN python3 -m venv tools && python3 -m venv --without-pip /opt/chainloop
COPY requirements/build.txt requirements/client.txt requirements/
RUN tools/bin/pip install --require-hashes --no-deps -r requirements/build.txt
RUN tools/bin/pip --python /opt/chainloop/bin/python install --require-hashes --no-deps -r requirements/client.txt
COPY pyproject.toml README.md LICENSE ./
COPY chainloop_ci chainloop_ci/
# Installed from a wheel, since its RECORD is what the builder's id in an attestation is made of.
RUN tools/bin/pip wheel --no-build-isolation --no-deps --wheel-dir wheel . \
  && tools/bin/pip --python /opt/chainloop/bin/python install --no-index --no-deps wheel/*.whl

FROM ${BASE} AS cli
COPY --from=build /opt/chainloop /opt/chainloop
# A link instead of a longer PATH: login shells set PATH anew, and the job's own `python` stays what it is.
RUN ln -s /opt/chainloop/bin/chainloop /usr/local/bin/chainloop \
  && useradd --uid 10001 --user-group --create-home --shell /bin/sh chainloop
# By number: Kubernetes cannot tell of a name whether it is root.
USER 10001:10001
WORKDIR /home/chainloop
# No entry point: GitLab and Jenkins start a shell in it.
CMD ["chainloop", "--help"]

FROM build AS build-server
ARG PIP_INDEX_URL
ARG PIP_NO_INDEX
ARG PIP_FIND_LINKS
ARG PIP_CERT
COPY requirements/server.txt requirements/
RUN tools/bin/pip --python /opt/chainloop/bin/python install --require-hashes --no-deps -r requirements/server.txt
COPY server server/
# Beside the packages, and compiled: nothing is looked for in the working folder, and nothing written beside the code.
RUN packages=$(/opt/chainloop/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
  && cp -r server "$packages/server" && /opt/chainloop/bin/python -m compileall -q "$packages/server"

FROM ${BASE} AS server
COPY --from=build-server /opt/chainloop /opt/chainloop
RUN ln -s /opt/chainloop/bin/chainloop /usr/local/bin/chainloop \
  && printf '%s\n' '#!/bin/sh' 'exec /opt/chainloop/bin/python -I -m server "$@"' > /usr/local/bin/chainloop-server \
  && chmod 0755 /usr/local/bin/chainloop-server \
  && useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/chainloop --shell /usr/sbin/nologin chainloop \
  && install -d -o 10001 -g 10001 -m 0700 /var/lib/chainloop
# Loopback is the container's own: who reaches the port is decided where the container is started.
# /dev/shm is there, and writable, also where the root file system is read-only.
ENV CHAINLOOP_BIND=0.0.0.0 PORT=8080 CHAINLOOP_DATA=/var/lib/chainloop TMPDIR=/dev/shm
EXPOSE 8080
USER 10001:10001
WORKDIR /var/lib/chainloop
VOLUME /var/lib/chainloop
# /healthz, not /readyz: an orchestrator restarts what is unhealthy, and a restart frees no disk.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["/opt/chainloop/bin/python", "-I", "-S", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["chainloop-server"]
CMD ["serve"]
