"""The collection that every table belongs to, how constraints are named, and the types of what clients say."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData, String, Text
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

NUMBER: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
"""A number that is compared with a client's: SQLite has one width of integers, PostgreSQL refuses what is wider."""


def words(length: int) -> TypeEngine[str]:
    """Return the type of a client's text: SQLite never looks at its length, PostgreSQL would refuse a longer one."""
    return Text().with_variant(String(length), "sqlite")
