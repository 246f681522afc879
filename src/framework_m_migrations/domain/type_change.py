"""How a change of a column's type is classed."""

from __future__ import annotations

from enum import StrEnum


class TypeChange(StrEnum):
    """What a change of type does to the rows."""

    EQUAL = "equal"
    """No difference but of spelling."""
    WIDENING = "widening"
    """Every value fits, no row is rewritten, no index rebuilt."""
    REWRITE = "rewrite"
    """Every value fits, but the table or an index is rewritten."""
    NARROWING = "narrowing"
    """Values may not fit, or lose digits."""
    INCOMPATIBLE = "incompatible"
    """Values have no obvious counterpart in the new type."""
