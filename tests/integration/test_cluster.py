"""A pod asks Kubernetes for its own labels: over real TLS, and without ever stopping the job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chainloop_ci.runners.types import Pod
from chainloop_ci.workspace.facts_kubernetes import MAX_ANSWER_BYTES, ServiceAccount, read_pod
from tests.integration.cluster import Cluster, make_certificate

LABELS = {"tekton.dev/taskRun": "build-1", "app": "other"}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path) as running:
        running.label(LABELS)
        running.write_account(tmp_path / "account")
        yield running


@pytest.fixture
def account(tmp_path: Path) -> ServiceAccount:
    return ServiceAccount(tmp_path / "account")


def test_a_pods_labels_are_read_with_the_service_accounts_token(cluster, account):
    notices: list[str] = []

    pod = read_pod({**cluster.env, "HOSTNAME": "build-1-pod"}, account, notices.append)

    assert pod == Pod("ci", LABELS)
    assert cluster.requests == [("/api/v1/namespaces/ci/pods/build-1-pod", "Bearer service-account-token")]
    assert notices == []


def test_a_name_cannot_leave_its_place_in_the_path(cluster, account):
    read_pod({**cluster.env, "HOSTNAME": "../../secrets?x"}, account, lambda message: None)

    assert cluster.requests[0][0] == "/api/v1/namespaces/ci/pods/..%2F..%2Fsecrets%3Fx"


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_refusal_leaves_the_namespace_and_is_told(cluster, account, status):
    cluster.status = status
    notices: list[str] = []

    pod = read_pod({**cluster.env, "HOSTNAME": "build-1-pod"}, account, notices.append)

    assert pod == Pod("ci")
    assert f"it answered {status}" in notices[0]
    assert cluster.token not in notices[0]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{",
        b"[]",
        b'{"metadata": {}}',
        b'{"metadata": {"labels": 1}}',
        b"[" * 100_000,
        b" " * (MAX_ANSWER_BYTES + 1),
    ],
    ids=["empty", "cut", "array", "no-labels", "odd-labels", "deep", "large"],
)
def test_an_answer_that_cannot_be_used_is_told(cluster, account, answer):
    cluster.answer = answer
    notices: list[str] = []

    pod = read_pod({**cluster.env, "HOSTNAME": "build-1-pod"}, account, notices.append)

    assert pod == Pod("ci")
    assert len(notices) == 1


def test_r23_a_server_that_the_cluster_does_not_vouch_for_gets_no_token(cluster, account, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    account.authority.write_bytes(make_certificate(other)[0].read_bytes())
    notices: list[str] = []

    pod = read_pod({**cluster.env, "HOSTNAME": "build-1-pod"}, account, notices.append)

    assert (pod, cluster.requests) == (Pod("ci"), [])
    assert "certificate" in notices[0].lower()


@pytest.mark.parametrize("missing", ["KUBERNETES_SERVICE_HOST", "HOSTNAME"])
def test_outside_a_cluster_nobody_is_asked_and_nothing_told(cluster, account, missing):
    env = {**cluster.env, "HOSTNAME": "build-1-pod", missing: ""}
    notices: list[str] = []

    assert read_pod(env, account, notices.append) == Pod("ci")
    assert (cluster.requests, notices) == ([], [])


@pytest.mark.parametrize("missing", ["token", "namespace"])
def test_without_an_account_nobody_is_asked(cluster, account, missing):
    (account.folder / missing).unlink()

    pod = read_pod({**cluster.env, "HOSTNAME": "build-1-pod"}, account, lambda message: None)

    assert pod == Pod("" if missing == "namespace" else "ci")
    assert cluster.requests == []


def test_a_cluster_that_is_not_there_is_told(cluster, account):
    env = {**cluster.env, "KUBERNETES_SERVICE_PORT": "1", "HOSTNAME": "build-1-pod"}
    notices: list[str] = []

    assert read_pod(env, account, notices.append) == Pod("ci")
    assert len(notices) == 1


def test_a_port_that_is_none_is_told(cluster, account):
    env = {**cluster.env, "KUBERNETES_SERVICE_PORT": "tcp://10.0.0.1", "HOSTNAME": "build-1-pod"}
    notices: list[str] = []

    assert read_pod(env, account, notices.append) == Pod("ci")
    assert len(notices) == 1
