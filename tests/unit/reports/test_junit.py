from __future__ import annotations

from dataclasses import replace

from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.reports.junit import MAX_CASES, render_junit
from chainloop_ci.reports.report import Mark, Problem, Report, Requirement
from tests.family.hostile import HOSTILE
from tests.unit.reports.samples import report_of

MISSING = Problem("Missing material", "sbom is missing", "add it", subject="material sbom", file="c.yaml", line=2)
REPORT = Report(
    "attestation push",
    "The contract is not met.",
    failed=True,
    workflow="build",
    project="hello",
    problems=(MISSING,),
    requirements=(Requirement("material sbom", Mark.FAILED), Requirement("material app")),
)


def cases_of(report: Report):
    return list(fromstring(render_junit(report)).iter("testcase"))


def test_each_requirement_is_a_case_and_the_step_is_one_too() -> None:
    sbom, app, step = cases_of(REPORT)

    assert [case.get("name") for case in (sbom, app, step)] == [
        "material sbom",
        "material app",
        "chainloop attestation push",
    ]
    assert {case.get("classname") for case in (sbom, app, step)} == {"chainloop.hello.build"}
    assert [len(case) for case in (sbom, app, step)] == [1, 0, 1]


def test_a_step_that_failed_is_a_failing_case_also_when_the_others_say_why() -> None:
    step = cases_of(REPORT)[-1].find("failure")

    assert step.get("message") == "The contract is not met: 1 other case of this report says what"


def test_what_is_kept_for_later_is_no_passed_case() -> None:
    report = replace(REPORT, failed=False, problems=(), requirements=(), notice="Its file is `a.json`: keep it.")

    [step] = cases_of(report)

    assert step.find("skipped").get("message") == step.find("skipped").text == "Its file is `a.json`: keep it."


def test_r35_nothing_fails_in_a_job_that_goes_on_all_the_same() -> None:
    xml = render_junit(replace(REPORT, tolerated=True))

    sbom, _, step = fromstring(xml).iter("testcase")
    assert [case.find("failure") for case in (sbom, step)] == [None, None]
    assert sbom.find("skipped").get("message") == "sbom is missing"
    assert sbom.find("skipped").text == "sbom is missing\nWhat to do: add it\nWhere: c.yaml, line 2"
    assert 'failures="0" errors="0" skipped="2"' in xml


def test_a_failing_case_says_what_to_do_where_gitlab_and_jenkins_look() -> None:
    failure = cases_of(REPORT)[0].find("failure")

    assert failure.get("type") == "Missing material"
    assert failure.get("message") == "sbom is missing"
    assert failure.text == "sbom is missing\nWhat to do: add it\nWhere: c.yaml, line 2"


def test_what_is_not_there_yet_is_skipped() -> None:
    case = cases_of(replace(REPORT, failed=False, requirements=(Requirement("material sbom", Mark.OPEN),)))[0]

    assert [child.tag for child in case] == ["skipped"]


def test_a_failure_that_is_about_no_requirement_is_the_steps_own() -> None:
    unreachable = Problem("Unreachable", "no answer", "try again")

    cases = cases_of(replace(REPORT, problems=(unreachable,), requirements=(Requirement("material sbom"),)))

    assert [[child.tag for child in case] for case in cases] == [[], ["failure"]]
    assert cases[1].find("failure").text == "no answer\nWhat to do: try again"


def test_a_failure_about_what_is_no_requirement_of_the_report_is_the_steps_own() -> None:
    other = Problem("Wrong material", "app is no SBOM", subject="material gone")

    cases = cases_of(replace(REPORT, problems=(other,), requirements=(Requirement("material sbom"),)))

    assert [[child.tag for child in case] for case in cases] == [[], ["failure"]]


def test_what_is_wrong_without_a_failure_fails_no_step() -> None:
    cases = cases_of(replace(REPORT, failed=False, problems=(Problem("Other", "a word"),), requirements=()))

    assert [len(case) for case in cases] == [0]


def test_a_failure_without_any_problem_says_the_verdict() -> None:
    [case] = cases_of(Report("attestation push", "The step was interrupted.", failed=True, advice="Again."))

    assert case.find("failure").get("message") == "The step was interrupted."


def test_the_counts_are_those_of_the_cases() -> None:
    root = fromstring(render_junit(report_of("x")))

    expected = {"tests": "4", "failures": "2", "errors": "0", "skipped": "1"}
    assert {name: root.get(name) for name in expected} == expected
    assert {name: root[0].get(name) for name in expected} == expected


def test_a_text_of_somebody_else_stays_a_text() -> None:
    usual = tags_of(report_of("x"))

    assert [text for text in HOSTILE if tags_of(report_of(text)) != usual] == []


def tags_of(report: Report) -> list[str]:
    return [element.tag for element in fromstring(render_junit(report), forbid_dtd=True).iter()]


@given(st.text())
def test_any_text_at_all_makes_xml(text: str) -> None:
    assert fromstring(render_junit(report_of(text)), forbid_dtd=True).tag == "testsuites"


def test_a_report_has_no_more_cases_than_its_limit_and_that_of_the_step() -> None:
    many = tuple(Requirement(f"material m{number}", Mark.MET) for number in range(MAX_CASES + 1))

    assert len(cases_of(replace(REPORT, problems=(), requirements=many, failed=False))) == MAX_CASES + 1
