"""The graph of referrers beyond one step: how far, how much, and whose (reference section 10; threats T38, T39)."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from chainloop_ci.attestation.referrers import Node
from server.model.principal import Reach
from server.services.referrers import MAX_EACH, MAX_NODES
from server.store import referrer_edges
from server.store.referrers import find
from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.graphs import Graph, digest_of
from tests.integration.server.jobs import COMMIT, Job
from tests.integration.server.plans import Plans

IMAGE = Node(digest_of("image"), "CONTAINER_IMAGE")


@pytest.fixture
def reader(api: Any, acme: Tenant) -> Any:
    return api(acme.token("read"))


@pytest.fixture
def pushed(job: Job) -> tuple[Job, str]:
    """Return a job that pushed, and its attestation's digest."""
    job.begin()
    job.add_everything()
    answer = job.push()
    assert answer.status_code == 201, answer.text
    return job, answer.json["digest"]


def push_again(job: Job) -> str:
    again = Job(job.api, job.tenant, job.key, run_id=str(uuid.uuid4()))
    again.begin()
    again.add_everything()
    return str(again.push().json["digest"])


def reached(graph: Any, depth: int) -> set[str]:
    return {item["node"]["digest"] for item in graph["further"] if item["depth"] == depth}


def test_depth_2_from_a_commit_shows_what_its_attestation_refers_to(pushed: tuple[Job, str], reader: Any) -> None:
    job, digest = pushed

    graph = reader.get(f"/referrers/sha1:{COMMIT}?depth=2").json

    assert [node["digest"] for node in graph["references"]] == [digest]
    assert reached(graph, 2) == {entry.digest for entry in job.materials.values()}
    assert (graph["depth"], graph["unfinished"]) == (2, [])


def test_links_name_workflow_run_and_what_the_run_calls_a_material(pushed: tuple[Job, str], reader: Any) -> None:
    job, digest = pushed
    sbom = job.materials["sbom"].digest

    graph = reader.get(f"/referrers/{sbom}").json

    assert graph["links"] == [
        {
            "attestation": {"digest": digest, "kind": "ATTESTATION"},
            "target": {"digest": sbom, "kind": "SBOM_CYCLONEDX_JSON"},
            "project": "app",
            "workflow": "build",
            "runId": job.run_id,
            "names": ["sbom"],
        }
    ]


def test_depth_1_is_the_default_and_goes_no_further(pushed: tuple[Job, str], reader: Any) -> None:
    graph = reader.get(f"/referrers/sha1:{COMMIT}").json

    assert (graph["depth"], graph["further"]) == (1, [])


def test_another_attestation_of_the_same_content_is_three_steps_from_the_commit_of_none(
    pushed: tuple[Job, str], reader: Any
) -> None:
    job, first = pushed
    second = push_again(job)

    graph = reader.get(f"/referrers/{first}?depth=2").json

    assert reached(graph, 2) == {second}


@pytest.mark.parametrize("depth", ["0", "6", "x", "-1"])
def test_a_depth_beyond_the_limit_is_refused(reader: Any, depth: str) -> None:
    answer = reader.get(f"/referrers/{digest_of('x')}?depth={depth}")

    assert answer.status_code == 422
    assert answer.json["findings"][0]["path"] == "?depth"


def test_a_commit_of_a_repository_with_sha256_is_found(services: Services, acme: Tenant, reader: Any) -> None:
    commit = Node(digest_of("commit"), "GIT_HEAD_COMMIT")
    graph = Graph(services, acme)
    graph.write(1, shared=(commit,))

    answer = reader.get(f"/referrers/{commit.digest}?kind=GIT_HEAD_COMMIT").json

    assert [node["digest"] for node in answer["references"]] == [graph.attestation(0).digest]


def test_t39_a_graph_of_ten_thousand_nodes_is_cut_and_says_where(services: Services, acme: Tenant, reader: Any) -> None:
    Graph(services, acme).write(2600, shared=(IMAGE,))

    graph = reader.get(f"/referrers/{IMAGE.digest}?depth=5&limit=200").json

    shown = 1 + len(graph["references"]) + len(graph["further"])
    assert len(graph["references"]) == 200
    assert graph["nextCursor"]
    assert shown == 801  # the image, 200 attestations, and their commits and files: nothing else leads on
    assert graph["unfinished"] == []


def test_t39_an_answer_holds_so_many_nodes_and_names_those_with_more(
    services: Services, acme: Tenant, reader: Any
) -> None:
    Graph(services, acme).write(1000, files=9, shared=(IMAGE,))

    graph = reader.get(f"/referrers/{IMAGE.digest}?depth=2&limit=200").json

    assert 1 + len(graph["references"]) + len(graph["further"]) == MAX_NODES
    assert graph["unfinished"] != []
    assert {node["kind"] for node in graph["unfinished"]} == {"ATTESTATION"}


def test_t39_a_hot_node_behind_the_first_page_is_cut_and_named(services: Services, acme: Tenant, reader: Any) -> None:
    graph = Graph(services, acme)
    graph.write(300, files=0, shared=(IMAGE,))

    answer = reader.get(f"/referrers/{graph.commit(0).digest}?depth=3").json

    assert len(reached(answer, 3)) in (MAX_EACH - 1, MAX_EACH)
    assert answer["unfinished"] == [{"digest": IMAGE.digest, "kind": IMAGE.kind}]


def test_pages_of_a_hot_node_hold_every_neighbour_once(services: Services, acme: Tenant, reader: Any) -> None:
    graph = Graph(services, acme)
    graph.write(25, files=0, shared=(IMAGE,))
    path, found = f"/referrers/{IMAGE.digest}?limit=10", []

    page = reader.get(path).json
    found += page["references"]
    while "nextCursor" in page:
        page = reader.get(f"{path}&cursor={page['nextCursor']}").json
        found += page["references"]

    digests = [node["digest"] for node in found]
    assert digests == sorted(graph.attestation(number).digest for number in range(25))


def test_t39_projects_and_organizations_share_digests_and_see_their_own_edges_only(
    services: Services, api: Any, acme: Tenant, rival: Tenant
) -> None:
    app, other = Graph(services, acme), Graph(services, acme, "other/build", "other")
    foreign = Graph(services, rival, name="foreign")
    for graph in (app, other, foreign):
        graph.write(20, shared=(IMAGE,))
    path = f"/referrers/{IMAGE.digest}?depth=5&limit=200"

    def seen_by(token: str) -> set[str]:
        graph = api(token).get(path).json
        return {node["digest"] for node in graph["references"]} | {item["node"]["digest"] for item in graph["further"]}

    def all_of(*graphs: Graph) -> set[str]:
        return {
            node.digest
            for graph in graphs
            for number in range(20)
            for node in (graph.attestation(number), graph.commit(number), graph.file(number, 0), graph.file(number, 1))
        }

    assert seen_by(acme.token("read")) == all_of(app, other)
    assert seen_by(acme.token("read", "project")) == all_of(app)
    assert seen_by(rival.token("admin")) == all_of(foreign)


def test_t38_no_id_of_one_organization_shows_another_anything(
    services: Services, api: Any, acme: Tenant, rival: Tenant
) -> None:
    graph = Graph(services, acme)
    graph.write(5)
    stranger = api(rival.token("admin"))
    known = [node.digest for number in range(5) for node in (graph.attestation(number), graph.file(number, 0))]

    answers = [stranger.get(f"/referrers/{digest}?depth=5").status_code for digest in known]

    assert answers == [404] * 10


def test_an_attestation_without_materials_is_seen_by_its_project(api: Any, acme: Tenant, job: Job) -> None:
    from tests.integration.server.jobs import EMPTY_CONTRACT, put_contract

    put_contract(api, acme, EMPTY_CONTRACT)
    job.contract, job.revision = EMPTY_CONTRACT, 3
    job.begin()
    pushed = job.push(job.key.bundle(job.payload(lambda document: document["subject"].pop())))
    digest = pushed.json["digest"]

    answer = api(acme.token("read", "project")).get(f"/referrers/{digest}")

    assert pushed.status_code == 201, pushed.text
    assert answer.status_code == 200


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("project", [None, "app"])
def test_t39_every_query_of_the_graph_begins_at_a_digest(services: Services, acme: Tenant, project: str | None) -> None:
    graph = Graph(services, acme)
    graph.write(3, shared=(IMAGE,))
    reach = Reach(acme.id, acme.projects[project] if project else None)
    with services.database.read() as connection, Plans(connection) as plans:
        referrer_edges.list_page(connection, reach, (IMAGE.digest, IMAGE.kind), after=("", ""), limit=10)
        keys = [(graph.attestation(number).digest, "ATTESTATION") for number in range(3)]
        referrer_edges.list_of_nodes(connection, reach, keys, each=MAX_EACH)
        find(connection, reach, IMAGE.digest, None)

        tables = ("referrer_edges", "referrer_nodes", "referrer_facts", "attestations", "workflow_runs")
        steps = [step for step in plans.steps() if any(table in step for table in tables)]

    assert [step for step in steps if "TEMP B-TREE" in step] == []
    assert [step for step in steps if "digest=?" not in step and "(id=?)" not in step] == []
