"""Frozen records that cost nothing to declare: for the modules that every command loads.

`@dataclass(frozen=True, slots=True)` writes the methods of a class as text and compiles it, each time a process starts:
half a millisecond a class. `@record` makes the same dataclass and gives it methods that all records share. Elsewhere
the plain dataclass is right; `docs/adr` says what was measured.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from typing import Any, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T")

_assign = object.__setattr__


@dataclass_transform(frozen_default=True, field_specifiers=(Field, field))
def record(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass with slots; `field`, `fields`, `replace` and `match` work as with any other.

    Every field is given to the constructor and is compared; there is no `__post_init__`.
    """
    # Else dataclass would write one, and load `inspect` for it.
    cls.__doc__ = cls.__doc__ or cls.__name__
    made = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    for method in (_init, _repr, _eq, _hash, _setattr, _delattr, _reduce):
        name = f"__{method.__name__.strip('_')}__"
        # What the class itself defines stays, as with a dataclass.
        if name not in cls.__dict__:
            setattr(made, name, method)
    return made


def _init(self: Any, *values: Any, **named: Any) -> None:
    kind = type(self)
    names = kind.__match_args__
    if values:
        _name(kind, values, named)
    absent = 0
    for name in names:
        if name in named:
            _assign(self, name, named[name])
        else:
            _assign(self, name, _default(kind, name))
            absent += 1
    if len(named) + absent > len(names):
        raise TypeError(f"{kind.__name__} has no field {next(name for name in named if name not in names)!r}")


def _name(kind: Any, values: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Add the values that were given by place to those that were given by name."""
    names = kind.__match_args__
    if len(values) > len(names):
        raise TypeError(f"{kind.__name__} takes {len(names)} values, {len(values)} were given")
    for name, value in zip(names, values, strict=False):
        if name in named:
            raise TypeError(f"{kind.__name__} got two values for {name!r}")
        named[name] = value


def _default(kind: Any, name: str) -> Any:
    item = kind.__dataclass_fields__[name]
    if item.default is not MISSING:
        return item.default
    if item.default_factory is not MISSING:
        return item.default_factory()
    raise TypeError(f"{kind.__name__} needs a value for {name!r}")


def _values(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, name) for name in self.__match_args__)


def _repr(self: Any) -> str:
    shown = (f"{item.name}={getattr(self, item.name)!r}" for item in fields(self) if item.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _eq(self: Any, other: object) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return _values(self) == _values(other)


def _hash(self: Any) -> int:
    return hash(_values(self))


def _setattr(self: Any, name: str, value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: Any, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _reduce(self: Any) -> tuple[Any, ...]:
    """Copy and pickle by the constructor: nothing may be assigned later."""
    return type(self), _values(self)
