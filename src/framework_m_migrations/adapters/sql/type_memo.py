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
        self._known: dict[object, T] = {}

    def __call__(self, type_: sa.types.TypeEngine[Any]) -> T:
        """The result for a type; equal types share one."""
        state = type_.__dict__
        if "dispatch" in state:
            state = {name: value for name, value in state.items() if name != "dispatch"}
        try:
            # Names and values side by side, in the order of their making: the quickest key that says all.
            return self._known[type_.__class__, *state, *state.values()]
        except (KeyError, TypeError):
            return self._looked_at(type_)

    def _looked_at(self, type_: sa.types.TypeEngine[Any]) -> T:
        class_: type[Any] = type_.__class__
        state = {name: value for name, value in type_.__dict__.items() if name not in _SAYING_NOTHING}
        # State in slots is not in __dict__, so a class that has any is never remembered.
        if not all(value.__class__ in _PLAIN for value in state.values()) or _has_slots(class_):  # type: ignore[arg-type]
            return self._work_out(type_)
        key = (class_, *state, *state.values())
        if key not in self._known:
            self._known[key] = self._work_out(type_)
        return self._known[key]


@functools.lru_cache(maxsize=1024)
def _has_slots(class_: type) -> bool:
    return any(vars(base).get("__slots__") for base in class_.__mro__)
