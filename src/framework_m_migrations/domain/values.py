"""Frozen dataclasses that are quick to make and to compare.

A frozen dataclass sets each of its fields through ``object.__setattr__``, which makes a column of a schema three times
as expensive as plain assignments would, and before Python 3.13 it makes two tuples to compare two instances. A
comparison of two schemas makes and compares tens of thousands of them.
"""

from __future__ import annotations

import dataclasses
from typing import Any


def quick[C: type](cls: C) -> C:
    """Decorates a dataclass(frozen=True, slots=True): the same, its instances made and compared faster.

    While ``__init__`` runs, the instance belongs to a twin of the class that has the same slots and is not frozen; then
    it turns into what it is.

    Raises:
        TypeError: the dataclass has what this cannot do: a default factory, a field that is no argument or has to be
            named, or a ``__post_init__``.
    """
    fields = dataclasses.fields(cls)
    if hasattr(cls, "__post_init__") or any(
        field.default_factory is not dataclasses.MISSING or not field.init or field.kw_only for field in fields
    ):
        raise TypeError(f"{cls.__name__} cannot be made quick.")
    twin = type(f"{cls.__name__}InTheMaking", (), {"__slots__": tuple(field.name for field in fields)})
    defaults = {f"default_{field.name}": field.default for field in fields if field.default is not dataclasses.MISSING}
    scope: dict[str, Any] = {**defaults, "become": object.__setattr__, "twin": twin, "final": cls}
    arguments = ", ".join(
        f"{field.name}=default_{field.name}" if f"default_{field.name}" in defaults else field.name for field in fields
    )
    lines = [
        f"def __init__(self, {arguments}):",
        "    become(self, '__class__', twin)",
        *(f"    self.{field.name} = {field.name}" for field in fields),
        "    self.__class__ = final",
    ]
    compared = [f"self.{field.name} == other.{field.name}" for field in fields if field.compare]
    lines += [
        "def __eq__(self, other):",
        "    if self is other:",
        "        return True",
        "    if other.__class__ is not self.__class__:",
        "        return NotImplemented",
        f"    return {' and '.join(compared) or 'True'}",
    ]
    exec("\n".join(lines), scope)  # noqa: S102 - as dataclasses itself makes the methods; the names are those of fields
    for name in ("__init__", "__eq__"):
        made, before = scope[name], cls.__dict__[name]
        made.__qualname__, made.__annotations__ = before.__qualname__, before.__annotations__
        setattr(cls, name, made)
    return cls
