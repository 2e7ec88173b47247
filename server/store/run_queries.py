"""Which queries find the runs of a list, and which index each of them walks.

Every filter has an index that ends in the server's order, so that a page costs the same among a thousand runs and a
million. Which index is used is said here: a database without statistics takes any that fits. The narrowest filter
*drives* the query; the others only *test* what it finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, literal_column, or_, select

from chainloop_ci.api.runs import RunState
from server.model.run_filters import RunFilter
from server.store.expiry import is_overdue
from server.store.reach import tested
from server.store.tables import UNUSUAL_STATE, run_artifacts, run_materials, workflow_runs
from server.store.times import to_text

CLOCK_SKEW = timedelta(minutes=1)
"""How far creation times may differ from the server's order: two processes read their clocks before they queue."""
MAX_SEPARATE = 10
"""Values of one filter that are asked for one by one; of more, each run is tested for all."""

NEVER = 2**62
"""A sequence that no run and no record reaches."""
# An alias copies all columns of its table: made once, not for every request.
_SAME_RUN = run_materials.alias()
# Word for word that of the partial indexes: this is how a database knows that it may use them.
_UNUSUAL: ColumnElement[bool] = literal_column(UNUSUAL_STATE.text)

_Conditions = list[ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the server's order, so that a list by time walks nothing outside of it."""

    first: int = 1
    last: int = NEVER - 1
    tests: tuple[ColumnElement[bool], ...] = ()
    """Conditions on the times themselves: two processes may have taken places in another order than times."""

    def of(
        self, query: Select[Any], sequence: ColumnElement[int], tests: Sequence[ColumnElement[bool]] = ()
    ) -> Select[Any]:
        """Return the query kept to this part, newest first, and to what passes the tests."""
        bounds = [sequence <= self.last] if self.last < NEVER - 1 else []
        bounds += [sequence >= self.first] if self.first > 1 else []
        return query.where(*bounds, *tested([*tests, *self.tests])).order_by(sequence.desc())


@dataclass(frozen=True, slots=True)
class _Filter:
    """A column, or one of two, that must have one of some values."""

    column: ColumnElement[Any]
    values: tuple[str, ...]
    other: ColumnElement[Any] | None = None
    """Has never the value that the first has, so that together they find each run once."""
    has_organization: bool = False
    """Whether the column's index begins with the organization."""
    has_state: bool = True
    """Whether there is an index of the column with the states that are not success."""

    @property
    def drives(self) -> bool:
        """Tell whether the runs of each value can be asked for one by one."""
        return len(self.values) <= MAX_SEPARATE

    def test(self) -> ColumnElement[bool]:
        """Return the condition on runs that another index finds."""
        return or_(*(c == self.values[0] if len(self.values) == 1 else c.in_(self.values) for c in self._columns))

    def drive(self) -> Iterator[ColumnElement[bool]]:
        """Return the conditions that together find each run, every one by its own index."""
        return (column == value for value in self.values for column in self._columns)

    @property
    def _columns(self) -> tuple[ColumnElement[Any], ...]:
        return (self.column,) if self.other is None else (self.column, self.other)


@dataclass(frozen=True, slots=True)
class _State:
    """A state as it is stored, with what else a run of it must be."""

    word: str
    also: tuple[ColumnElement[bool], ...] = ()

    @property
    def is_usual(self) -> bool:
        """Tell whether most runs are expected to have it: then no index is kept for it within a workflow."""
        return self.word == RunState.SUCCESS.value

    def test(self) -> _Conditions:
        """Return the conditions on runs that another index finds."""
        return [workflow_runs.c.state == self.word, *self.also]

    def drive(self) -> _Conditions:
        """Return the conditions for an index that has the state; what else the run must be is still to be tested."""
        return [workflow_runs.c.state == self.word, *([] if self.is_usual else [_UNUSUAL])]


def run_queries(organization_id: str, wanted: RunFilter, window: Window, now: datetime) -> Iterator[Select[Any]]:
    """Return queries of sequences, newest first, that together find each wanted run; the caller sets the limit."""
    filters = _filters(wanted)
    for state in _states(wanted.state, now):
        if wanted.digest is None:
            yield from _by_index(organization_id, filters, state, window)
        else:
            yield from _by_digest(organization_id, wanted.digest, filters, state, window)


def find_window(
    connection: Connection,
    organization_id: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
) -> Window:
    """Return the part of the server's order that holds all runs of these times below the sequence `before`."""
    runs = workflow_runs.c
    own = select(runs.sequence).where(runs.organization_id == organization_id).limit(1)
    first, last = 1, NEVER - 1 if before is None else before - 1
    if since is not None:
        # Whatever was created so much earlier also took its place earlier than everything that is wanted.
        early = own.where(runs.created_at <= to_text(since - CLOCK_SKEW)).order_by(runs.created_at.desc())
        first = (connection.execute(early).scalar() or 0) + 1
    if until is not None:
        late = own.where(runs.created_at >= to_text(until + CLOCK_SKEW)).order_by(runs.created_at)
        last = min(last, (connection.execute(late).scalar() or NEVER) - 1)
    tests = [runs.created_at >= to_text(since)] if since else []
    tests += [runs.created_at <= to_text(until)] if until else []
    return Window(first, last, tuple(tests))


def _filters(wanted: RunFilter) -> list[_Filter]:
    """Return the filters that are asked for, the narrowest first."""
    runs = workflow_runs.c
    project = None if wanted.project_id is None else (wanted.project_id,)
    runner = None if wanted.runner is None else (wanted.runner,)
    known = (
        (runs.ci_head_sha, wanted.commits, runs.attested_commit, True, False),
        (runs.workflow_id, wanted.workflow_ids, None, False, True),
        (runs.token_id, wanted.token_ids, None, False, True),
        (runs.project_id, project, None, False, True),
        (runs.runner_type, runner, None, True, True),
    )
    return [_Filter(column, values, *more) for column, values, *more in known if values is not None]


def _by_index(
    organization_id: str, filters: list[_Filter], state: _State | None, window: Window
) -> Iterator[Select[Any]]:
    """Return a query for each value of the narrowest filter, or one for all runs of the organization."""
    own = workflow_runs.c.organization_id == organization_id
    driver = next((item for item in filters if item.drives), None)
    tests = [item.test() for item in filters if item is not driver]
    known: _Conditions = []
    (known if driver is None or driver.has_organization else tests).append(own)
    if state is not None and (driver is None or (driver.has_state and not state.is_usual)):
        known += state.drive()
        tests += state.also
    elif state is not None:
        tests += state.test()
    for named in ([condition] for condition in driver.drive()) if driver else [[]]:
        yield window.of(select(workflow_runs.c.sequence).where(*known, *named), workflow_runs.c.sequence, tests)


def _by_digest(
    organization_id: str, digest: str, filters: list[_Filter], state: _State | None, window: Window
) -> Iterator[Select[Any]]:
    """Return a query for each table in which a digest of a run may stand."""
    own = workflow_runs.c.organization_id == organization_id
    tests = [own, *(item.test() for item in filters), *(state.test() if state else [])]
    for query, sequence in _of_digest(organization_id, digest):
        yield window.of(query, sequence, tests)


def _of_digest(organization_id: str, digest: str) -> Iterator[tuple[Select[Any], ColumnElement[int]]]:
    """Return the queries of runs whose materials, uploads or attestation have a digest, each with its sequence."""
    material, other = run_materials.c, _SAME_RUN.c
    # Under two names the digest counts once; the key of the table answers this.
    earlier = exists().where(
        other.run_id == material.run_id, other.name < material.name, other.digest == material.digest
    )
    of_material = (material.organization_id == organization_id, material.digest == digest, *tested([~earlier]))
    runs, upload = workflow_runs.c, run_artifacts.c
    materials = select(runs.sequence).join(run_materials, material.run_sequence == runs.sequence)
    yield materials.where(*of_material), material.run_sequence
    uploads = select(runs.sequence).join(run_artifacts, upload.run_sequence == runs.sequence)
    yield uploads.where(upload.organization_id == organization_id, upload.digest == digest), upload.run_sequence
    attested = (runs.organization_id == organization_id, runs.attestation_digest == digest)
    yield select(runs.sequence).where(*attested), runs.sequence


def _states(state: RunState | None, now: datetime) -> list[_State | None]:
    """Return the stored states that a run shown in `state` may have; an overdue run is shown as expired (R15)."""
    if state is None:
        return [None]
    if state is RunState.INITIALIZED:
        return [_State(state.value, (~is_overdue(now),))]
    if state is RunState.EXPIRED:
        return [_State(state.value), _State(RunState.INITIALIZED.value, (is_overdue(now),))]
    return [_State(state.value)]
