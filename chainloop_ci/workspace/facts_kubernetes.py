"""What Kubernetes says of the pod that a job runs in: its namespace from a file, its labels from the API.

Best effort: a service account seldom may read its own pod, and a job is never stopped by that. The token of the service
account goes to the cluster's API alone, over TLS that the cluster's own authority vouches for (R23).
Source: Kubernetes docs, "Accessing the Kubernetes API from a Pod"; reference 4.1.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import quote

from chainloop_ci.records import record
from chainloop_ci.runners.types import Env, Pod

PAUSE_SECONDS = 5.0
"""Longest time without a byte."""
DEADLINE_SECONDS = 10.0
"""Longest time for the answer as a whole."""
MAX_ANSWER_BYTES = 2 * 1024 * 1024
"""A pod's document is limited by etcd to 1.5 MiB."""

_CHUNK_BYTES = 64 * 1024
_MAX_FILE_BYTES = 64 * 1024


@record
class ServiceAccount:
    """Where Kubernetes puts a pod's credentials."""

    folder: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount")

    @property
    def namespace(self) -> Path:
        """Return the file with the pod's namespace."""
        return self.folder / "namespace"

    @property
    def token(self) -> Path:
        """Return the file with the token."""
        return self.folder / "token"

    @property
    def authority(self) -> Path:
        """Return the file with the certificates of the cluster's authority."""
        return self.folder / "ca.crt"


def read_pod(env: Env, account: ServiceAccount, notify: Callable[[str], None]) -> Pod:
    """Return what is known of this pod; `notify` is told why labels are missing where Kubernetes could be asked."""
    namespace = _read(account.namespace)
    host, name = env.get("KUBERNETES_SERVICE_HOST", ""), env.get("HOSTNAME", "")
    token = _read(account.token)
    if not (namespace and host and name and token):
        return Pod(namespace)
    try:
        labels = _ask(_connect(env, host, account), namespace, name, token)
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        notify(f"Kubernetes did not tell the labels of this pod: {str(error) or type(error).__name__}")
        return Pod(namespace)
    return Pod(namespace, labels)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE_BYTES).decode("ascii").strip()
    except (OSError, ValueError):
        return ""


def _connect(env: Env, host: str, account: ServiceAccount) -> HTTPSConnection:
    import ssl

    context = ssl.create_default_context(cafile=str(account.authority))
    port = int(env.get("KUBERNETES_SERVICE_PORT_HTTPS") or env.get("KUBERNETES_SERVICE_PORT") or 443)
    return HTTPSConnection(host, port, timeout=PAUSE_SECONDS, context=context)


def _ask(connection: HTTPSConnection, namespace: str, name: str, token: str) -> Mapping[str, str]:
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(name, safe='')}"
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise ValueError(f"it answered {answer.status}; the service account needs the right to get pods")
        body = bytearray()
        while chunk := answer.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) > MAX_ANSWER_BYTES or time.monotonic() > deadline:
                raise ValueError("its answer is too large or too slow")
        return read_labels(bytes(body))
    finally:
        connection.close()


def read_labels(raw: bytes) -> Mapping[str, str]:
    """Return the labels in the document of a pod.

    Raises:
        ValueError: it has none, or is no JSON.
        RecursionError: it is nested too deep.
    """
    document = json.loads(raw)
    metadata = document.get("metadata") if isinstance(document, Mapping) else None
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    if not isinstance(labels, Mapping):
        raise ValueError("its answer has no labels")
    return {str(name): value for name, value in labels.items() if isinstance(value, str)}
