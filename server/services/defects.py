"""A defect of ours met in a batch: the transaction is taken back, and the one that met it is left aside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

T = TypeVar("T")


class DefectError(Exception, Generic[T]):
    """Ends the transaction in which one of a batch met a defect; its cause is the defect."""

    def __init__(self, item: T) -> None:
        self.item = item
        super().__init__(type(item).__name__)


@contextmanager
def found_with(item: object, *expected: type[Exception]) -> Iterator[None]:
    """Let what is raised for one of a batch name it; what the database says, and what is expected, passes as it is.

    Raises:
        DefectError: anything else was raised.
    """
    passing: tuple[type[Exception], ...] = (SQLAlchemyError, *expected)
    try:
        yield
    except passing:
        raise
    except Exception as error:
        raise DefectError(item) from error
