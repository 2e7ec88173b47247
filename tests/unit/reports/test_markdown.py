"""What the Markdown is for a reader that nobody here wrote: markdown-it, CommonMark with the tables of GFM."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from chainloop_ci.escaping import printable
from chainloop_ci.reports.markdown import TRUNCATED, code, cut_lines, link, prose, sentence
from chainloop_ci.reports.report import MaterialLine, Problem, Report
from chainloop_ci.reports.summary import MAX_BYTES, TEKTON_BYTES, render_summary
from tests.family.hostile import HOSTILE
from tests.unit.reports.samples import report_of

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OURS = re.compile(r"</?code>|<!-- -->")
"""The only HTML that we write."""
INLINE = {"text", "code_inline", "html_inline"}


def inline_tokens(markdown: str) -> Iterator[Token]:
    for token in READER.parse(markdown):
        yield from token.children or ()


def is_text(token: Token) -> bool:
    return token.type in INLINE and (token.type != "html_inline" or OURS.fullmatch(token.content) is not None)


def shown(markdown: str) -> str:
    """Return what a person reads of a line of Markdown."""
    return "".join(token.content for token in inline_tokens(markdown) if token.type != "html_inline")


def structure(markdown: str) -> list[str]:
    return [token.type for token in READER.parse(markdown)]


@pytest.mark.parametrize("render", [sentence, prose, code])
def test_a_text_of_somebody_else_is_text_and_nothing_else(render) -> None:
    lines = {text: f"- before {render(text)} after" for text in HOSTILE}

    active = [text for text, line in lines.items() if not all(map(is_text, inline_tokens(line)))]
    blocks = [text for text, line in lines.items() if structure(line) != structure("- before x after")]

    assert (active, blocks) == ([], [])


def test_a_value_stays_in_its_cell() -> None:
    table = "| a | b |\n| --- | --- |\n| {} | x |"

    out = [text for text in HOSTILE if structure(table.format(code(text))) != structure(table.format("y"))]

    assert out == []


@given(st.text(max_size=200))
def test_a_reader_sees_a_value_as_it_is(text: str) -> None:
    visible = printable(text)

    read = shown(f"x {code(text)} x").removeprefix("x ").removesuffix(" x")

    if visible.strip():
        assert re.sub(" +", " ", read).strip() == re.sub(" +", " ", visible).strip()


@given(st.text(max_size=200))
def test_a_reader_sees_a_sentence_as_it_is(text: str) -> None:
    visible = re.sub(" +", " ", printable(text).strip())

    assert re.sub(" +", " ", shown(f"x {sentence(text)}")).strip() == f"x {visible}".strip()


@pytest.mark.parametrize("text", ["@everyone", "a@b.example", "x @octo-org/team y"])
def test_nobody_is_mentioned(text: str) -> None:
    for markdown in (sentence(text), prose(text)):
        # A mention is looked for in the text of the finished page: the comment stands between the sign and the name.
        assert not re.search(r"@\w", html.unescape(markdown))


@pytest.mark.parametrize("text", ["https://attacker.example/x", "www.attacker.example", "<https://attacker.example>"])
def test_an_address_in_a_sentence_is_no_link(text: str) -> None:
    assert not re.search(r"https?:/|www\.", sentence(text))


def test_a_value_with_dollars_is_no_formula() -> None:
    # GitLab and GitHub take a dollar beside a backtick for the sign of one.
    assert code("$a$") == "<code>&#36;a&#36;</code>"


def test_a_command_of_ours_is_code() -> None:
    assert prose("chainloop attestation add --name a --value <file>") == (
        "`chainloop attestation add --name a --value <file>`"
    )
    assert prose("run `chainloop attestation init` again") == "run `chainloop attestation init` again"
    assert prose("one ` alone") == "one &#96; alone"


@pytest.mark.parametrize(
    ("text", "written"), [("", ""), ("  ", "<code>2 blanks</code>"), ("x" * 400, f"`{'x' * 300}…`")]
)
def test_empty_blank_and_long_values(text: str, written: str) -> None:
    assert code(text) == written


def test_t43_only_a_web_address_is_a_link() -> None:
    assert link("page", "https://cp.test/runs/1?a=b") == "[page](<https://cp.test/runs/1?a=b>)"
    for address in ("javascript:alert(1)", "https://x/> <b>", "https://x/)[y](z", "data:text/html,x", "//x"):
        assert all(map(is_text, inline_tokens(link("page", address))))
    assert link("page", "") == "page"


# --- the whole summary


def test_the_summary_of_a_hostile_report_has_the_structure_of_any_other() -> None:
    usual = structure(render_summary(hostile_report("x")))

    other = [text for text in HOSTILE if text.strip() and structure(render_summary(hostile_report(text))) != usual]

    assert other == []


def hostile_report(text: str) -> Report:
    return replace(report_of(text), link="")


def test_the_verdict_comes_first_and_then_what_to_do() -> None:
    report = Report(
        "attestation push",
        "The contract build is not met: 1 thing is missing or wrong.",
        failed=True,
        workflow="build",
        problems=(Problem("Missing material", "sbom is missing", "chainloop attestation add --name sbom", line=1),),
        materials=(MaterialLine("sbom", "SBOM_SPDX_JSON", required=True, status="missing"),),
        facts=(("Run", "5f0c"), ("Commit", "")),
        link="https://cp.test/r/5f0c",
    )

    assert (
        render_summary(report)
        == """\
## Chainloop attestation of `build`

**The contract build is not met: 1 thing is missing or wrong.**

### What is missing or wrong

- sbom is missing
  - What to do: `chainloop attestation add --name sbom`

| Fact | Value |
| --- | --- |
| Run | `5f0c` |
| Page | [this run on the control plane](<https://cp.test/r/5f0c>) |

### Materials

| Material | Type | Value | Digest | Required | Status |
| --- | --- | --- | --- | --- | --- |
| `sbom` | `SBOM_SPDX_JSON` |  |  | yes | missing |

"""
    )


@pytest.mark.parametrize(
    ("line", "shown"), [(7, "- sbom is missing (`contract.yaml`, line 7)"), (None, "- sbom is missing")]
)
def test_a_place_is_told_with_its_line_only(line: int | None, shown: str) -> None:
    problem = Problem("Missing material", "sbom is missing", file="contract.yaml", line=line)

    assert shown in render_summary(Report("attestation push", "Not met.", failed=True, problems=(problem,))).split("\n")


def test_a_report_with_nothing_to_tell_is_short() -> None:
    text = render_summary(Report("attestation reset", "There was no attestation to end."))

    assert text == "## Chainloop attestation\n\n**There was no attestation to end.**\n\n"


def long_report() -> Report:
    lines = tuple(
        MaterialLine(f"m{number}", "STRING", "é|" * 300, "sha256:0", status="added") for number in range(5000)
    )
    return Report("attestation push", "Stored.", materials=lines)


@pytest.mark.parametrize("limit", [MAX_BYTES, TEKTON_BYTES, 200])
def test_a_long_report_is_cut_at_a_line_with_a_note(limit: int) -> None:
    text = render_summary(long_report(), limit)

    assert len(text.encode()) <= limit
    assert text.startswith("## Chainloop attestation\n\n**Stored.**\n")
    assert text.endswith(f"\n{TRUNCATED}\n")
    assert all(line.endswith("|") for line in text.splitlines() if line.startswith("|"))


def test_where_nothing_has_room_nothing_is_written() -> None:
    assert cut_lines(["x" * 300], 200) == ""
    assert cut_lines(["x"], -5) == ""


def test_what_just_fits_is_not_cut() -> None:
    assert cut_lines(["ab", "c"], 5) == "ab\nc\n"
