"""`chainloop apply`: how many requests it takes, what it says, and where a refusal is found."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from tests.unit.cli.answers import problem, reply

DATE = "2099-12-31T00:00:00Z"
WORKFLOW = (
    "apiVersion: chainloop.dev/v1\nkind: Workflow\nmetadata: {{name: {name}}}\n"
    "spec:\n  project: shop\n  contract: {contract}\n"
)
CONTRACT = "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {{name: {name}}}\nspec: {{}}\n"


def items(*names: str, kind: str = "workflow", result: str = "created", dry_run: bool = False):
    """Return an answer about workflows."""
    listed = [{"kind": kind, "name": name, "project": "shop", "result": result} for name in names]
    return reply({"items": listed, "dryRun": dry_run})


def write(folder: Path, workflows: int, contracts: int = 0) -> None:
    """Write as many documents, each workflow with a contract of its own."""
    text = [CONTRACT.format(name=f"c-{number}") for number in range(contracts)]
    text += [WORKFLOW.format(name=f"w-{number}", contract=f"c-{number}") for number in range(workflows)]
    (folder / "all.yaml").write_text("---\n".join(text))


def test_what_one_request_holds_takes_one(operate, stub, tmp_path: Path) -> None:
    write(tmp_path, workflows=60, contracts=40)
    stub.replies = [items("w-0")]

    result = operate("apply", "-f", "all.yaml")

    assert result.status == 0, result.err
    [sent] = [json.loads(seen.body) for seen in stub.seen]
    assert (len(sent["contracts"]), len(sent["workflows"]), sent["dryRun"]) == (40, 60, False)
    assert base64.b64decode(sent["contracts"][0]["rawBody"]).decode() == CONTRACT.format(name="c-0")


def test_what_needs_several_requests_is_tried_out_first(operate, stub, tmp_path: Path) -> None:
    write(tmp_path, workflows=110, contracts=100)
    stub.replies = [items("w-0") for _ in range(6)]

    result = operate("apply", "-f", "all.yaml")

    sent = [json.loads(seen.body) for seen in stub.seen]
    assert result.status == 0, result.err
    assert [request["dryRun"] for request in sent] == [True] * 3 + [False] * 3
    assert [(len(request["contracts"]), len(request["workflows"])) for request in sent[3:]] == [
        (100, 0),
        (0, 100),
        (0, 10),
    ]
    # The second was tried out with the contracts that the first only announces; those it uses, no others.
    assert [len(request["announced"]) for request in sent] == [0, 100, 0, 0, 0, 0]


def test_a_refusal_of_one_request_changes_nothing_and_hides_no_other(operate, stub, tmp_path: Path) -> None:
    write(tmp_path, workflows=210)
    reason = {"code": "not-found", "message": "there is no contract c", "path": "/workflows/3"}
    refusal = problem(404, "not-found", "there is no contract c", findings=[reason])
    stub.replies = [refusal, items("w-100"), refusal]

    result = operate("apply", "-f", "all.yaml")

    assert result.status == 1
    assert "2 things cannot be applied; nothing was changed" in result.err
    assert f"line {3 * 7 + 3}:18 all.yaml#/metadata/name: there is no contract c" in result.err
    assert f"line {203 * 7 + 3}:18 all.yaml#/metadata/name: there is no contract c" in result.err
    assert len(stub.seen) == 3


def test_a_finding_stands_at_the_field_that_it_is_about(operate, stub, tmp_path: Path) -> None:
    write(tmp_path, workflows=1)
    reason = {"code": "x", "message": "no", "path": "/workflows/0/contract"}
    stub.replies = [problem(422, "request-invalid", "no", findings=[reason])]

    result = operate("apply", "all.yaml", "-o", "json")

    [finding] = result.json["error"]["findings"]
    assert (finding["path"], finding["line"]) == ("all.yaml#/spec/contract", 6)


def test_an_answer_that_is_no_refusal_ends_at_once(operate, stub, tmp_path: Path) -> None:
    write(tmp_path, workflows=210)
    stub.replies = [problem(401, "not-authenticated", "who are you")]

    result = operate("apply", "-f", "all.yaml")

    assert (result.status, len(stub.seen)) == (5, 1)


def test_large_contracts_travel_apart(operate, stub, tmp_path: Path) -> None:
    for number in range(3):
        filler = "# " + "x" * 600_000 + "\n"
        (tmp_path / f"{number}.yaml").write_text(filler + CONTRACT.format(name=f"c-{number}"))
    stub.replies = [items("c-0", kind="contract") for _ in range(4)]

    result = operate("apply", "-f", ".")

    assert result.status == 0, result.err
    assert [len(json.loads(seen.body)["contracts"]) for seen in stub.seen] == [2, 1, 2, 1]
    assert all(len(seen.body) < 2 * 1024 * 1024 for seen in stub.seen)


def test_everything_is_said_in_order_and_counted(operate, stub, tmp_path: Path) -> None:
    write(tmp_path, workflows=1)
    listed = [
        {"kind": "project", "name": "shop", "result": "created"},
        {"kind": "contract", "name": "c-0", "result": "unchanged", "revision": 3},
        {"kind": "workflow", "name": "w-0", "project": "shop", "result": "changed"},
    ]
    stub.replies = [reply({"items": listed, "dryRun": True})]

    result = operate("apply", "-f", "all.yaml", "--dry-run")

    assert [line.split("│")[1:3] for line in result.out.splitlines()[3:6]] == [
        [" project  ", " shop             "],
        [" contract ", " c-0 (revision 3) "],
        [" workflow ", " shop/w-0         "],
    ]
    assert "INF dry run: nothing was changed created=1 changed=1 unchanged=1" in result.err
    assert json.loads(stub.seen[0].body)["dryRun"] is True


def test_r37_a_new_workflow_without_contract_is_warned_of(operate, stub, tmp_path: Path) -> None:
    text = WORKFLOW.format(name="bare", contract="x").replace("  contract: x\n", "")
    (tmp_path / "a.yaml").write_text(text)
    stub.replies = [items("bare"), items("bare", result="unchanged")]

    first, again = operate("apply", "a.yaml"), operate("apply", "a.yaml")

    assert "WRN these workflows got empty contracts, which ask for nothing: shop/bare" in first.err
    assert "WRN" not in again.err


def test_r38_every_contract_is_sent_with_the_date_which_stands_in_the_table(operate, stub, tmp_path: Path) -> None:
    write(tmp_path, workflows=1, contracts=2)
    waits = {"kind": "contract", "name": "c-0", "result": "changed", "revision": 2, "enforcedFrom": DATE}
    stub.replies = [reply({"items": [{**waits, "warnings": ["revision 1 was overtaken"]}], "dryRun": True})]

    result = operate("apply", "-f", "all.yaml", "--dry-run", "--enforce-from", "2099-12-31")

    [sent] = [json.loads(seen.body) for seen in stub.seen]
    assert [item["enforceFrom"] for item in sent["contracts"]] == [DATE, DATE]
    assert "changed, enforced from 31 Dec 99 00:00 UTC" in result.out
    assert "contract c-0: revision 1 was overtaken" in result.err


def test_r38_a_date_that_is_none_is_refused_before_anything_is_sent(operate, stub, tmp_path: Path) -> None:
    write(tmp_path, workflows=1, contracts=1)

    result = operate("apply", "-f", "all.yaml", "--enforce-from", "soon")

    assert (result.status, stub.seen) == (2, [])
