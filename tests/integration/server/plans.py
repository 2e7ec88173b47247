"""How the database would answer a query, so that tests see a page stay as cheap among a million rows as among ten."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, event


def plan_of(connection: Connection, query: Select[Any]) -> list[str]:
    """Return the steps of SQLite's plan for a query, whether or not an index holds all that is read."""
    compiled = query.compile(connection, compile_kwargs={"render_postcompile": True})
    parameters = compiled.construct_params()
    values = tuple(parameters[name] for name in compiled.positiontup or ())
    return explain(connection, str(compiled), values)


class Plans:
    """The plans of everything that is read through an engine while it is watched."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._seen: list[tuple[str, Any]] = []

    def __enter__(self) -> Plans:
        event.listen(self._connection, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._connection, "before_cursor_execute", self._note)

    @property
    def seen(self) -> list[tuple[str, Any]]:
        """Return the statements, each with its values."""
        return list(self._seen)

    def steps(self) -> list[str]:
        """Return the steps of all plans."""
        seen = tuple(self._seen)
        return [step for statement, values in seen for step in explain(self._connection, statement, values)]

    def _note(self, _c: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        self._seen.append((statement, values))


def rows_read(connection: Connection, statement: str, values: Any) -> int:
    """Run a statement on PostgreSQL and return how many rows it looked at, each as often as it did."""
    explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values).scalar_one()
    return _rows_of(explained[0]["Plan"])


def _rows_of(step: dict[str, Any]) -> int:
    names = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter")
    own = sum(step.get(name, 0) for name in names) * step["Actual Loops"]
    return int(own) + sum(map(_rows_of, step.get("Plans", ())))


def whole_tables_and_sorts(steps: list[str]) -> list[str]:
    """Return the steps that read a whole table, or keep rows aside to sort or to compare them."""
    return [step for step in steps if step.startswith("SCAN") or "TEMP B-TREE" in step]


def explain(connection: Connection, statement: str, values: Any) -> list[str]:
    """Return the steps of SQLite's plan for a statement."""
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
    return [str(row[3]).replace("COVERING ", "") for row in rows]
