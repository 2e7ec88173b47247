"""The conditions of `rules:if` in a GitLab pipeline, with three answers: yes, no, cannot be known.

Source: GitLab Docs, «CI/CD YAML syntax reference», `rules:if`: `==`, `!=`, `&&`, `||`, parentheses, texts in quotes,
`null` and variables; `&&` binds closer than `||`. Regular expressions (`=~`, `!~`) are left undecided: the pattern
comes from a file that anybody can write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from server.model.ci_files import Fires, all_of, any_of, of_bool

MAX_TOKENS = 100
"""Longer conditions are not decided."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<operator>&&|\|\||==|!=|=~|!~|\(|\))
      | (?P<text>"[^"]*"|'[^']*')
      | \$\{?(?P<variable>[A-Za-z_][A-Za-z0-9_]*)\}?
      | (?P<null>null\b)
      | (?P<pattern>/(?:[^/\\\n]|\\.)*/[a-z]*)
    )""",
    re.VERBOSE,
)


def evaluate(condition: str, variables: Mapping[str, str | None]) -> Fires:
    """Return whether a condition holds; `variables` are the known ones, None for those that are known to be unset."""
    tokens = _tokenize(condition)
    if tokens is None:
        return Fires.MAYBE
    reader = _Reader(tokens, variables)
    try:
        found = reader.read_or()
    except _NotUnderstood:
        return Fires.MAYBE
    return found if reader.at == len(tokens) else Fires.MAYBE


class _NotUnderstood(Exception):
    """The condition is not of the forms that are read here; stays in this module."""


_Token = tuple[str, str]


def _tokenize(condition: str) -> list[_Token] | None:
    tokens: list[_Token] = []
    text, at = condition.rstrip(), 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None or len(tokens) >= MAX_TOKENS:
            return None
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


@dataclass(slots=True)
class _Value:
    """A text, an unset variable (None), or one that is not known."""

    text: str | None
    known: bool = True


@dataclass(slots=True)
class _Reader:
    tokens: list[_Token]
    variables: Mapping[str, str | None]
    at: int = 0

    def read_or(self) -> Fires:
        answers = [self._read_and()]
        while self._take("||"):
            answers.append(self._read_and())
        return any_of(answers)

    def _read_and(self) -> Fires:
        answers = [self._read_comparison()]
        while self._take("&&"):
            answers.append(self._read_comparison())
        return all_of(answers)

    def _read_comparison(self) -> Fires:
        if self._take("("):
            inside = self.read_or()
            if not self._take(")"):
                raise _NotUnderstood
            return inside
        left = self._read_value()
        for operator in ("==", "!="):
            if self._take(operator):
                return _compare(left, self._read_value(), equal=operator == "==")
        if self._take("=~") or self._take("!~"):
            self._read_value()
            return Fires.MAYBE
        # A variable alone: it is set and not empty.
        return of_bool(bool(left.text)) if left.known else Fires.MAYBE

    def _read_value(self) -> _Value:
        if self.at >= len(self.tokens):
            raise _NotUnderstood
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "text":
            return _Value(text[1:-1])
        if kind == "null":
            return _Value(None)
        if kind == "variable":
            return _Value(self.variables.get(text), known=text in self.variables)
        if kind == "pattern":
            return _Value(None, known=False)
        raise _NotUnderstood

    def _take(self, operator: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == ("operator", operator):
            self.at += 1
            return True
        return False


def _compare(left: _Value, right: _Value, *, equal: bool) -> Fires:
    if not (left.known and right.known):
        return Fires.MAYBE
    return of_bool((left.text == right.text) is equal)
