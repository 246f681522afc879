"""Obligations: what a port's docstring demands, each with an identifier that reports and scripts may rely on."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

_ATTRIBUTE = "__obligation__"
NOT_APPLICABLE = "not applicable"
"""Key of the property by which a test says that its obligation does not concern an adapter, and why."""


@dataclass(frozen=True, slots=True)
class Obligation:
    """One demand on adapters. ``id`` is ``port.method.demand``; ``text`` says it in a sentence."""

    id: str
    text: str

    @property
    def port(self) -> str:
        """The port that it belongs to."""
        return self.id.partition(".")[0]


def obligation[F: Callable[..., object]](identifier: str) -> Callable[[F], F]:
    """Mark a contract test as the proof of an obligation; the first line of its docstring is the text.

    Several tests may prove the same one: it is held when all of them pass.
    """

    def mark(function: F) -> F:
        text = (inspect.getdoc(function) or "").partition("\n")[0]
        setattr(function, _ATTRIBUTE, Obligation(identifier, text))
        return function

    return mark


def obligation_of(function: object) -> Obligation | None:
    """The obligation that a test proves, None for other functions."""
    found = getattr(function, _ATTRIBUTE, None)
    return found if isinstance(found, Obligation) else None


def obligations_of(suite: type) -> tuple[Obligation, ...]:
    """All obligations of a contract class, in the order in which they are written."""
    found: dict[str, Obligation] = {}
    for owner in reversed(suite.__mro__):
        for member in vars(owner).values():
            item = obligation_of(member)
            if item is not None:
                found.setdefault(item.id, item)
    return tuple(found.values())
