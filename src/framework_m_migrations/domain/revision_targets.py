"""How a person names a revision: by its id, by a symbol, relative to one of these, or within one app.

The forms are Alembic's: ``ae10``, ``head``, ``base``, ``+1``, ``-2``, ``ae10+1``, ``head-1``, ``shop@head``,
``shop@+1``, ``shop@ae10``.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

HEADS = frozenset({"head", "heads"})
BASE = "base"

_FORM = re.compile(r"(?:(?P<branch>[^@]+)@)?(?P<symbol>[^@]*?)(?P<delta>[+-]\d+)?")


@dataclass(frozen=True, slots=True)
class Target:
    """A revision as it was named.

    Attributes:
        text: as it was written.
        branch: the app, or a label of its branch; None where none was named.
        symbol: an id or its beginning, ``head``, ``heads`` or ``base``; None for the current position.
        delta: how many revisions above (positive) or below it; 0 for itself.
    """

    text: str
    branch: str | None = None
    symbol: str | None = None
    delta: int = 0

    @property
    def relative(self) -> bool:
        """True when it counts from the current position."""
        return self.symbol is None


def parse_target(text: str, known: Collection[str] = ()) -> Target | None:
    """What a text names.

    Args:
        text: as a person writes it.
        known: names that are taken as they are, though they may look like another form: an app may be ``shop-2``.

    Returns:
        The target; None where the text has none of the forms.
    """
    text = text.strip()
    if text in known:
        return Target(text, symbol=text)
    branch, _, rest = text.rpartition("@")
    if branch in known and rest in known:
        return Target(text, branch, rest)
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    symbol = found["symbol"] or None
    if symbol is None and found["delta"] is None:
        return None
    return Target(text, found["branch"], symbol, int(found["delta"] or 0))
