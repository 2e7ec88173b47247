"""Texts that somebody could choose to be obeyed: in each input of each plugin, as branch name, as pull request's title.

Each tries one of three things, and a test looks whether it happened: a file called `CANARY_FILE` appears somewhere, an
output or a variable called `CANARY_NAME` exists, or `CANARY_NAME` stands in a command that a runner obeyed. The list is
made by this module and kept in `tests/data/hostile/strings.json` for readers in other languages; to write it again:
`python -m tests.family.hostile --write`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "data" / "hostile" / "strings.json"
CANARY_FILE = "chainloop-canary"
"""Made by whoever runs one of these texts as a command."""
CANARY_NAME = "CHAINLOOP_CANARY"
"""Set by whoever takes one of these texts for an output, a variable or a log command."""
LEAST = 500
"""The family's promise; there are some more."""

_TOUCH = f"touch {CANARY_FILE}"
_SHELL = (
    f"$({_TOUCH})",
    f"`{_TOUCH}`",
    f"; {_TOUCH} ;",
    f"&& {_TOUCH} &&",
    f"|| {_TOUCH} ||",
    f"| {_TOUCH} |",
    f"& {_TOUCH} &",
    f"\n{_TOUCH}\n",
    f"\r\n{_TOUCH}\r\n",
    f'"; {_TOUCH}; "',
    f"'; {_TOUCH}; '",
    f'"$({_TOUCH})"',
    f"'$({_TOUCH})'",
    f'\\"; {_TOUCH}; \\"',
    f"<({_TOUCH})",
    f"> {CANARY_FILE}",
    f">{CANARY_FILE}",
    f"${{IFS}}$({_TOUCH})",
    f"$(({_TOUCH}))",
    f"a[$({_TOUCH})]",
    f"$'\\n'{_TOUCH}",
    f"\\\n{_TOUCH}",
    f"x=$({_TOUCH})",
    f"() {{ :; }}; {_TOUCH}",
    f"-----BEGIN $({_TOUCH})-----",
    f"& type nul > {CANARY_FILE} &",
    f"^& type nul > {CANARY_FILE}",
    f"%COMSPEC% /c type nul > {CANARY_FILE}",
    f"$(New-Item {CANARY_FILE})",
    f'"; New-Item {CANARY_FILE}; "',
    f"@(New-Item {CANARY_FILE})",
)
_EVALUATED = (
    f'${{new File("{CANARY_FILE}").createNewFile()}}',
    f'${{"{_TOUCH}".execute()}}',
    f'"""; new File(\'{CANARY_FILE}\').createNewFile(); """',
    f"''' + new File('{CANARY_FILE}').createNewFile() + '''",
    "${{ secrets.CHAINLOOP_TOKEN }}",
    f"${{{{ format('{{0}}', '$({_TOUCH})') }}}}",
    "$[[ inputs.workflow ]]",
    "$[[ inputs.workflow | expand_vars ]]",
    "$CHAINLOOP_TOKEN",
    "${CHAINLOOP_TOKEN}",
    "%CHAINLOOP_TOKEN%",
    "$env:CHAINLOOP_TOKEN",
    "$(CHAINLOOP_TOKEN)",
    f"{{{{ ''.__class__.__mro__ }}}}{{% include '{CANARY_FILE}' %}}",
    f"__import__('os').system('{_TOUCH}')",
    "{0.__class__.__init__.__globals__}",
    "%(x)s %s %n %d",
    "{0} {} {x!r}",
    f"require('fs').writeFileSync('{CANARY_FILE}', '')",
    f"!!python/object/apply:os.system ['{_TOUCH}']",
    "' OR 1=1 --",
)
_COMMANDS = (
    f"::set-output name={CANARY_NAME}::injected",
    f"::set-env name={CANARY_NAME}::injected",
    f"::save-state name={CANARY_NAME}::injected",
    f"::add-path::/{CANARY_NAME}",
    f"::add-mask::{CANARY_NAME}",
    f"::stop-commands::{CANARY_NAME}",
    f"::error file=x,line=1,title={CANARY_NAME}::injected",
    f"::warning::{CANARY_NAME}",
    f"::notice::{CANARY_NAME}",
    f"::group::{CANARY_NAME}",
    f"::endgroup::{CANARY_NAME}",
    f"::debug::{CANARY_NAME}",
    f"::SET-OUTPUT NAME={CANARY_NAME}::injected",
    f"##[set-output name={CANARY_NAME};]injected",
    f"##[error]{CANARY_NAME}",
    f"##[group]{CANARY_NAME}",
    f"##vso[task.setvariable variable={CANARY_NAME}]injected",
    f"##vso[task.prependpath]/{CANARY_NAME}",
    f"##teamcity[setParameter name='{CANARY_NAME}' value='injected']",
    f"section_start:1700000000:{CANARY_NAME}\r\x1b[0K{CANARY_NAME}",
    f"section_end:1700000000:{CANARY_NAME}\r\x1b[0K",
)
_BEFORE_COMMANDS = (
    "",
    "\n",
    "\r\n",
    "\r",
    " ",
    "\t",
    "%0A",
    "%0D%0A",
    "%250A",
    "\u2028",
    "\x0b",
    "\x85",
    "x\n",
    "::",
    ",",
)
_FILES = (
    f"{CANARY_NAME}=injected",
    f"{CANARY_NAME}<<EOF\ninjected\nEOF",
    f"EOF\n{CANARY_NAME}=injected",
    f"chainloop_EOF\n{CANARY_NAME}=injected\n",
    f"_EOF_\n{CANARY_NAME}<<X\ninjected\nX",
    f"export {CANARY_NAME}=injected",
    f'"\n{CANARY_NAME}="injected',
    f"'\n{CANARY_NAME}='injected",
    f"# comment\n{CANARY_NAME}=injected",
    f"\\n{CANARY_NAME}=injected",
    f"state<<{CANARY_NAME}\nsuccess\n{CANARY_NAME}\ncompliant=true",
)
_BEFORE_FILES = ("", "x\n", "\n", "x\r\n", "x\r", "x\n\n", "x\u2028", "x\x85", "x\x0c", "]\n")
_MARKUP = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<a href="https://attacker.example">click</a>',
    "[click](https://attacker.example)",
    "[click](javascript:alert(1))",
    "![picture](https://attacker.example/pixel.png)",
    "<https://attacker.example>",
    "https://attacker.example/x",
    "www.attacker.example",
    "mail@attacker.example",
    "@everyone",
    "#1 !1 ~bug %1 &1 $1",
    ":tada: :+1:",
    "| a | b |",
    "a|b",
    "a\\|b",
    "a\\\\|b",
    "|",
    "\\",
    "`",
    "``",
    "```\ncode\n```",
    "`a` | `b` | <b>c</b>",
    "~~~",
    "# heading",
    "\n# heading\n",
    "- item",
    "1. item",
    "> quote",
    "---",
    "***bold*** __bold__ _it_ ~~gone~~",
    "&lt;b&gt; &#60;b&#62; &amp;",
    "<!-- comment",
    "--> comment",
    "</td></tr></table></details>",
    "<details><summary>x</summary>",
    "<![CDATA[ x ]]>",
    "]]> <failure>x</failure>",
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>&e;',
    "&e;",
    "[[ATTACHMENT|/etc/passwd]]",
    "$`x`$ $$x$$",
    "[^1] [^1]: note",
)
_TERMINAL = (
    "\x1b[2J\x1b[H",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;https://attacker.example\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31m",
    "a\rERR forged",
    "a\nINF Attestation pushed!",
    "\x07\x08\x08",
    "\x7f",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "\u200b\u200d\ufeff",
    "a\u0300\u0301\u0302\u0303",
    "\U0001f4a3",
    "\u0130\u0131\u017f\u212a",
    "\uff04\uff08touch\uff09",
)
_WORDS = (
    "",
    " ",
    "\t",
    "\n",
    "-",
    "--",
    "-rf",
    "--help",
    "--token=x",
    "-o json",
    "@/etc/passwd",
    "~",
    "*",
    "?",
    "[a-z]",
    "**/*",
    "../../../../etc/passwd",
    "/proc/self/environ",
    "/dev/stdin",
    "file:///etc/passwd",
    "env://CHAINLOOP_TOKEN",
    "C:\\Windows\\win.ini",
    "\\\\server\\share",
    "CON",
    "null",
    "NO",
    "true",
    "012",
    "1e1000",
    "NaN",
    ": ",
    "- x",
    "&a *a",
    "{",
    "}",
    "[",
    "'",
    '"',
    "''",
    '""',
    "\\'",
    '\\"',
    "=",
    "a=b=c",
    "a,b,c",
    "%",
    "%25",
    "%0A",
    "%00",
    "\\0",
    "\\x00",
    "\\u0000",
)
_LONG = (
    "a" * 10_000,
    f"$({_TOUCH})" * 400,
    f"::set-output name={CANARY_NAME}::injected\n" * 200,
    f"{CANARY_NAME}=injected\n" * 300,
    "`|<>&\"'\\" * 1_200,
    "\n" * 10_000,
    "\x1b[31m" * 2_000,
    "\u202e" * 3_300,
    "../" * 3_000,
)


def _every() -> Iterator[str]:
    yield from (*_SHELL, *_EVALUATED, *_MARKUP, *_TERMINAL, *_WORDS, *_LONG)
    yield from (before + command for command in _COMMANDS for before in _BEFORE_COMMANDS)
    yield from (before + line for line in _FILES for before in _BEFORE_FILES)


HOSTILE: tuple[str, ...] = tuple(dict.fromkeys(_every()))
PLAYS_ALL = os.environ.get("CHAINLOOP_TEST_HOSTILE") == "all"
"""Set by `make hostile`: every text in every input, which takes a quarter of an hour. Else tests take a sample."""


def sample(step: int) -> tuple[str, ...]:
    """Return the texts to play: all of them, or each `step`th."""
    return HOSTILE if PLAYS_ALL else HOSTILE[::step]


"""The list, each text once: no NUL, which neither an argument nor a variable can hold, and nothing but Unicode text."""


def _render() -> str:
    return json.dumps(HOSTILE, indent=0, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        DATA.write_text(_render(), encoding="ascii")
    else:
        print(f"{len(HOSTILE)} texts")
