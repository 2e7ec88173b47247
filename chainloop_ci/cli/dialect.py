"""What the command says, in the words of the plugin that runs it.

Whoever uses a plugin typed inputs and has never seen an option: where our texts name `--contract`, GitHub and GitLab
say «the input `contract`», Jenkins «the argument `contract`». All names are those of `options` and `plugin_inputs`.

A message may hold what somebody else chose, so of a message only the places are read where our own templates name an
option: its beginning, «the variable …», «as … asks». An advice is ours: there each known name is read that stands by
itself. What stands in quotes is somebody's value, what stands in backticks a command or nothing of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from chainloop_ci.cli.options import ATTESTATION, COMMANDS, GLOBAL, PLUGIN_VARIABLE, Kind, OnUnreachable
from chainloop_ci.cli.plugin_inputs import (
    CONNECTION,
    INSTALL,
    JENKINS_CREDENTIALS,
    JENKINS_STEPS,
    SAID_BY_CREDENTIALS,
    Input,
    Plugin,
    camel,
    github_inputs,
    gitlab_inputs,
    jenkins_inputs,
    step_inputs,
)
from chainloop_ci.cli.spoken_commands import (
    AddedMaterial,
    SpokenCommand,
    parse_additions,
    parse_annotation,
    parse_command,
)

_FLAG = r"--[a-z]+(?:-[a-z]+)*"
_VARIABLE = r"CHAINLOOP_[A-Z]+(?:_[A-Z]+)*"
_NAME = rf"(?<![\w./=@'\"-])(?:{_FLAG}|{_VARIABLE})(?![\w=@/'\"-])"
_WORDS = "|".join(word.value for word in OnUnreachable)
# `--contract FILE`, `--on-unreachable warn`, `--contract (CHAINLOOP_CONTRACT)`, `--key or CHAINLOOP_SIGNING_KEY`.
_TERM = (
    rf"(?P<name>{_NAME})(?P<value> (?:{_WORDS}|[A-Z]+)\b)?"
    rf"(?P<also> or (?P<other>{_NAME})| \((?P<variable>{_VARIABLE})(?:=\w+)?\))?"
)
_OF_ADVICE = re.compile(rf"(?P<see>see )?`(?P<code>[^`]*)`|(?<!\w)'[^']*'(?!\w)|\"[^\"]*\"|{_TERM}")
_TERM_ALONE = re.compile(_TERM)
_NAMED = rf"(?:{_FLAG}|{_VARIABLE})(?: \({_VARIABLE}\))?"
_AT_BEGINNING = re.compile(rf"^{_NAMED}(?:, {_NAMED})*(?=[: ])")
_IN_A_LOG_LINE = re.compile(rf"^{_FLAG}(?= is (?:on|not used|not for)\b)")
_AS_SOMEBODY_ASKS = re.compile(
    rf"(?<=\bas ){_FLAG}(?: (?:{_WORDS}))?(?= asks)|(?<=\bwith ){_NAMED}(?= (?:it is|did not sign))"
)
_A_VARIABLE = re.compile(rf"the (?:variable|option) (?P<name>{_NAME})")
# As click words it.
_OF_CLICK = re.compile(rf"^(?P<head>invalid value for|missing option) '(?:-\w' / ')?(?P<name>{_FLAG})'(?: / '-\w')?")

# A job has no configuration file that would outlive it.
_KEPT_BY_A_PERSON = re.compile(r",? or (?:keep|save) (?:it|one) with `chainloop config save`")

_FORMS_OF_A_KEY = " (a path, PEM text, or base64 of it)"
"""Of what the option takes; a pipeline of Jenkins has a credential instead."""
_ABOUT_OPTIONS = ("usage", "state-missing")
"""Codes of the errors whose messages may begin with an option."""
_ORDER = ("init", "add", "push", "status", "reset", "craft")
"""Where an input is looked for that the command itself does not have."""
_STEP_OF = {
    "craft": "chainloopAttest",
    "init": "withChainloop",
    "push": "withChainloop",
    "add": "chainloopAdd",
}
_README = {Plugin.GITHUB: "actions/README.md", Plugin.GITLAB: "gitlab/README.md", Plugin.JENKINS: "jenkins/README.md"}


class Dialect:
    """The words of one job's command; without a plugin they stay those of the command line."""

    def __init__(self, plugin: Plugin | None = None, command: str = "", *, has_variable: bool = False) -> None:
        """`command` is that of `attestation` which runs; `has_variable`: its materials come from their variable."""
        self.plugin = plugin
        self.command = command
        self._has_variable = has_variable

    # --- texts -------------------------------------------------------------------------------------------------------

    def message(self, text: str, code: str = "") -> str:
        """Return what was expected and found, as it is worded here; `code` is an error's, empty for a log line."""
        if self.plugin is None:
            return text
        if code in ("", *_ABOUT_OPTIONS):
            beginning = _AT_BEGINNING if code else _IN_A_LOG_LINE
            text = beginning.sub(lambda found: _TERM_ALONE.sub(self._first, found[0]), text)
        text = _AS_SOMEBODY_ASKS.sub(lambda found: _TERM_ALONE.sub(self._term, found[0]), text)
        text = _A_VARIABLE.sub(self._variable, text)
        return _OF_CLICK.sub(self._of_click, text)

    def advice(self, text: str) -> str:
        """Return what to do, as it is typed here."""
        if additions := parse_additions(text):
            return " or ".join(self._addition(each) for each in additions)
        if annotation := parse_annotation(text):
            return self._annotation(annotation) or text
        if self.plugin is None or text.startswith("chainloop "):
            return text  # nothing but a command
        if self.plugin is Plugin.JENKINS:
            text = text.replace(_FORMS_OF_A_KEY, f", a credential of the kind «{JENKINS_CREDENTIALS['key'][2]}»")
        return _OF_ADVICE.sub(self._part, _KEPT_BY_A_PERSON.sub("", text))

    def fact(self, name: str, value: object) -> object:
        """Return a fact of a log line: some are advice."""
        if name == "fix":
            return self.advice(str(value))
        if name == "did_you_mean" and self.plugin and str(value).startswith("--material "):
            return f"{str(value).removeprefix('--material ')} ({self._noun} {self._spell('materials')})"
        if name == "undo" and self.command == "craft":
            return "take it out of the materials"
        if name == "undo" and self.plugin in (Plugin.GITHUB, Plugin.JENKINS):
            return "take this step out"
        return value

    @property
    def options(self) -> str:
        """Return what options are called, all of them."""
        return f"{self._noun}s" if self.plugin else "options"

    @property
    def ends_after_script(self) -> bool:
        """Tell whether a job whose command fails has no other one: GitLab's template ends the run after the script."""
        return self.plugin is Plugin.GITLAB

    @property
    def again(self) -> str:
        """Return how what was done is done again."""
        return "run the job again" if self.plugin else "repeat the same command"

    def keeping(self, file: str) -> str:
        """Return what becomes of a file that `--on-unreachable queue` has left, and what to do with it."""
        where = {
            Plugin.GITHUB: "upload `chainloop-queued-*` in a later step that uses `actions/upload-artifact`, since the "
            "job's folder does not outlive the job",
            Plugin.GITLAB: "the template keeps it with the report, as an artifact of this job",
            Plugin.JENKINS: "keep it with `archiveArtifacts 'chainloop-queued-*,chainloop-queued-*/**'`",
            None: "keep it, and the folder of the same name where there is one, until then",
        }[self.plugin]
        return f"{where}; when the control plane answers again, `chainloop attestation push --resume {file}` stores it"

    # --- names -------------------------------------------------------------------------------------------------------

    @property
    def _noun(self) -> str:
        return "argument" if self.plugin is Plugin.JENKINS else "input"

    def _spell(self, name: str) -> str:
        return camel(name) if self.plugin is Plugin.JENKINS else name

    def _part(self, found: re.Match[str]) -> str:
        """Return one part of an advice: a command, a value in quotes, or a name."""
        if found["name"]:
            *_, clause = found.string[: found.start()].split(";")
            return self._term(found, on="leave " not in clause)
        code = found["code"]
        if code is None:
            return found[0]
        if code.endswith(" --help") and self._is_ours(code):
            return f"{found['see'] or ''}the {self.options} in `{_README[self.plugin]}`" if self.plugin else found[0]
        said = self._command(command) if (command := parse_command(code)) else None
        if said is None and (term := _TERM_ALONE.fullmatch(code)):
            said = self._term(term, on=True)
            said = None if said == code else said
        return f"{found['see'] or ''}{said}" if said else found[0]

    def _is_ours(self, code: str) -> bool:
        # In a job of GitLab people type commands beside the template's own one.
        return code.startswith("chainloop attestation ") and (
            self.plugin is not Plugin.GITLAB or self.command == "craft"
        )

    def _term(self, found: re.Match[str], *, on: bool = False) -> str:
        """Return what a name is called here; `on`: with the value of a switch, which has none on the command line."""
        name, value = found["name"], found["value"] or ""
        said = self._named(name, value.strip(), on=on)
        if said is None:
            return found[0]
        other = found["other"] or found["variable"]
        if not found["also"] or self._env_of(other) == self._env_of(name):
            return said
        return f"{said} or {self._named(other) or other}" if found["other"] else f"{said}{found['also']}"

    def _first(self, found: re.Match[str]) -> str:
        return self._term(found) if found["name"].startswith("--") else self._variable(found)

    def _variable(self, found: re.Match[str]) -> str:
        said = self._named(found["name"])
        if said is None:
            return found[0]
        # It may be the job's own variable that counts: the plugins hand it on where the input is empty.
        env = self._env_of(found["name"])
        return said if env in said else f"{said} ({env})"

    def _of_click(self, found: re.Match[str]) -> str:
        said = self._named(found["name"])
        if said is None:
            return found[0]
        return f"{said} is missing" if found["head"] == "missing option" else f"{found['head']} {said}"

    def _named(self, name: str, value: str = "", *, on: bool = False) -> str | None:
        """Return what an option or variable is called here, with a value of it (a switch `on`); None: as it is."""
        env = self._env_of(name)
        if not env or self.plugin is None:
            return None
        for command in (self.command, *_ORDER):
            rows = self._inputs(command)
            if row := next((row for row in rows if row.env == env), None):
                value = "true" if on and row.kind is Kind.SWITCH else value
                return self._say(row, value, "" if command == self.command else command)
        return None

    def _say(self, row: Input, value: str, elsewhere: str) -> str:
        if row.secret and self.plugin is Plugin.GITLAB:
            return f"the variable {row.env}"
        key = "registry-password" if row.name in SAID_BY_CREDENTIALS else row.name
        if self.plugin is Plugin.JENKINS and key in JENKINS_CREDENTIALS:
            return f"the argument `{JENKINS_CREDENTIALS[key][0]}` ({row.env})"
        name = self._spell(row.name)
        if value:
            quoted = self.plugin is Plugin.JENKINS and row.kind is not Kind.SWITCH
            name = f"{name}: '{value}'" if quoted else f"{name}: {value}"
        return f"the {self._noun} `{name}`{self._place(row, elsewhere)}"

    def _place(self, row: Input, command: str) -> str:
        """Return where an input is that another command has; connection and installation are the same everywhere."""
        if not command or row in (*CONNECTION, *INSTALL) or self.plugin is Plugin.GITLAB:
            return ""
        if self.plugin is Plugin.JENKINS:
            step = _STEP_OF.get(command, "")
            return f" of `{step}`" if step and step != _STEP_OF.get(self.command) else ""
        return f" of `actions/{command}`" if command != "craft" else " of the step that does all at once"

    def _inputs(self, command: str) -> tuple[Input, ...]:
        """Return the inputs of the step that runs a command; the secrets among them may have another form."""
        if self.plugin is Plugin.GITHUB:
            return github_inputs(command) if command in COMMANDS else ()
        if self.plugin is Plugin.GITLAB:
            return gitlab_inputs()
        groups = JENKINS_STEPS.get(_STEP_OF.get(command, ""), ("connection", "install"))
        named = [row for name in groups for row in jenkins_inputs(name)]
        return (*named, *(row for row in step_inputs("craft") if row.name in SAID_BY_CREDENTIALS))

    def _env_of(self, name: str) -> str:
        """Return the variable of an option; that of this command where several have the flag."""
        if not name.startswith("--"):
            return name
        others = (option for options in COMMANDS.values() for option in options)
        every = (*COMMANDS.get(self.command, ()), *ATTESTATION, *GLOBAL, *others)
        return next((option.env or "" for option in every if name in option.flags), "")

    # --- commands ----------------------------------------------------------------------------------------------------

    def _command(self, spoken: SpokenCommand) -> str | None:
        """Return what takes the place of a command of `attestation` here; None: that command."""
        known = {flag for option in (*COMMANDS[spoken.command], *ATTESTATION) for flag in option.flags}
        if "resume" in spoken.options or {f"--{name}" for name in spoken.options} - known:
            return None  # the former is typed by whoever keeps the file, on whatever machine
        if self.plugin is Plugin.GITHUB:
            is_this = spoken.command == self.command or (spoken.command, self.command) == ("init", "craft")
            place = "this step" if is_this else f"a step that uses `actions/{spoken.command}`"
            given = _given(spoken.options)
            return None if spoken.command == "craft" else f"{place}{given and f' with {given}'}"
        if spoken.command == "init" and "replace" in spoken.options and self.command in ("craft", "init"):
            return self._named("--replace", on=True)
        if self.plugin is not Plugin.JENKINS:
            return None  # it can be typed in the job
        steps = {"init": "`withChainloop`", "push": "the end of `withChainloop`", "add": "`chainloopAdd`"}
        shared = " with `remoteState: true`" if "remote-state" in spoken.options else ""
        return f"{steps[spoken.command]}{shared}" if spoken.command in steps else None

    def _addition(self, wanted: AddedMaterial) -> str:
        """Return how a material is added."""
        pair = f"{wanted.name}={wanted.value}"
        if self.command == "craft" and not wanted.annotations:
            if self.plugin is None:
                by_variable = f"add the line `{pair}` to the variable CHAINLOOP_MATERIALS"
                return by_variable if self._has_variable else f"add `--material {pair}` to the command"
            return {
                Plugin.GITHUB: f"add the line `{pair}` under `materials:` of this step",
                Plugin.GITLAB: f"add the line `{pair}` to the input `materials`",
                Plugin.JENKINS: f"add `{pair}` to the argument `materials`",
            }[self.plugin]
        notes = ", ".join(f"{name}=<value>" for name in wanted.annotations)
        if self.plugin is Plugin.GITHUB:
            more = (f", annotations: '{notes}'" if notes else "") + (", replace: true" if wanted.replace else "")
            return f"add a step that uses `actions/add`, with `{{name: {wanted.name}, value: {wanted.value}{more}}}`"
        if self.plugin is Plugin.JENKINS:
            more = (f", annotations: '{notes}'" if notes else "") + (", replace: true" if wanted.replace else "")
            return f"call `chainloopAdd(name: '{wanted.name}', value: '{wanted.value}'{more})` in `withChainloop`"
        return wanted.text

    def _annotation(self, name: str) -> str | None:
        """Return how the attestation gets an annotation; None: with the command that was said."""
        line = f"{name}=<value>"
        if self.plugin is None:
            return f"add `--annotation {line}` to the command" if self.command == "craft" else None
        if self.plugin is Plugin.GITHUB:
            is_this = self.command in ("craft", "push")
            place = "this step" if is_this else "the step that uses `actions/push`"
            return f"add the line `{line}` under `annotations:` of {place}"
        return f"add the line `{line}` to the {self._noun} `annotations`"


def _given(options: Mapping[str, str]) -> str:
    """Return the options of a command as the inputs of an action."""
    pairs = ", ".join(f"{name}: {value or 'true'}" for name, value in options.items())
    return f"`{{{pairs}}}`" if len(options) > 1 else pairs and f"`{pairs}`"


def find_dialect(env: Mapping[str, str], command: str) -> Dialect:
    """Return the dialect of the job: that of the plugin which its environment names, else the command line's own."""
    word = env.get(PLUGIN_VARIABLE, "").strip().lower()
    plugin = Plugin(word) if word in set(Plugin) else None
    return Dialect(plugin, command, has_variable="CHAINLOOP_MATERIALS" in env)
