from sqlalchemy import create_mock_engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex

from server.store.tables import metadata


def _partial(dialect):
    """Return the condition of each partial index in the words of a dialect."""
    made = {}
    for table in metadata.tables.values():
        for index in table.indexes:
            _, found, condition = str(CreateIndex(index).compile(dialect=dialect)).partition(" WHERE ")
            if found:
                made[index.name] = condition
    return made


def test_partial_indexes_are_partial_on_postgresql_too():
    engine = create_mock_engine("postgresql+psycopg2://", executor=lambda statement, *_: None)
    # A driver is not there, and not needed: nothing is sent.
    metadata.create_all(engine, checkfirst=False)

    assert _partial(postgresql.dialect()) == _partial(sqlite.dialect())
    assert "ix_runs_open" in _partial(postgresql.dialect())
