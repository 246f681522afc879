"""What was worked out for a type, remembered for every other type that is made of the same.

A schema has thousands of columns and a few dozen types. Only types whose whole state is plain values are remembered:
what a function, a label list or another type in it means is for the careful way to say.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

_PLAIN = frozenset({str, int, bool, float, type(None)})
_SAYING_NOTHING = frozenset({"_static_cache_key", "_type_affinity", "_generic_type_affinity", "dispatch"})
"""What SQLAlchemy itself keeps on types."""


class TypeMemo[T]:
    """Remembers results by class and state.

    Args:
        work_out: the careful way, called for whatever is not remembered.
    """

    def __init__(self, work_out: Callable[[sa.types.TypeEngine[Any]], T]) -> None:
        self._work_out = work_out
        self.known: dict[object, T] = {}
        """Results by class, names and values of the state, side by side in the order of their making: the quickest key
        that says all, for loops in which the call would cost more than the look."""

    def __call__(self, type_: sa.types.TypeEngine[Any]) -> T:
        """The result for a type; equal types share one."""
        state = type_.__dict__
        if "dispatch" in state:
            return self._looked_at(type_)
        try:
            return self.known[type_.__class__, *state, *state.values()]
        except (KeyError, TypeError):
            return self._looked_at(type_)

    def _looked_at(self, type_: sa.types.TypeEngine[Any]) -> T:
        class_: type[Any] = type_.__class__
        state = {name: value for name, value in type_.__dict__.items() if name not in _SAYING_NOTHING}
        key = (class_, *state, *state.values())
        try:
            if key in self.known:
                return self.known[key]
        except TypeError:  # State that cannot be hashed is no plain value.
            return self._work_out(type_)
        result = self._work_out(type_)
        # State in slots is not in __dict__, so a class that has any is never remembered.
        if all(value.__class__ in _PLAIN for value in state.values()) and not _has_slots(class_):  # type: ignore[arg-type]
            self.known[key] = result
        return result


@functools.lru_cache(maxsize=1024)
def _has_slots(class_: type) -> bool:
    return any(vars(base).get("__slots__") for base in class_.__mro__)
