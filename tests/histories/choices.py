"""A mutation, the names it may give, and how its numbers choose among what there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.histories.model import Field, Schema, Table

TABLE_NAMES = ("item", "order", "Mixed Case", 'quo"te', "naïve ключ", "per%cent %(x)s", "semi;colon--", "select")
FIELD_NAMES = (
    "name", "order", "Group", "a b", 'quo"te', "ключ", "per%cent %s", "co:lon :x", "semi;--", "user", "back`tick",
    "[brackets]", "position", "x" * 60, "1st", "dash-ed",
)  # fmt: skip
ENUM_NAMES = ("colour", "Size", "position")
LABELS = ("red", "it's green", "blue: %s", "Red", "last")
ENUM = "enum "
TEXTS = ("short", "long", "text")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change: ``verb`` is a key of VERBS; the numbers choose among what there is."""

    verb: str
    at: int = 0
    on: int = 0
    pick: int = 0
    how: int = 0


def choose[T](items: Sequence[T], number: int) -> T | None:
    """The item of a number, None where there is none."""
    return items[number % len(items)] if items else None


def pair(schema: Schema, mutation: Mutation) -> tuple[Table, Field] | None:
    """A table and one of its fields that the application fills, None where there is none."""
    table = choose(schema.tables, mutation.at)
    field = None if table is None else choose([one for one in table.fields if one.computed is None], mutation.on)
    return None if table is None or field is None else (table, field)


def free(names: Sequence[str], taken: Sequence[str], number: int) -> str | None:
    """A name that nothing has yet, in whatever case."""
    folded = {name.casefold() for name in taken}
    return choose([name for name in names if name.casefold() not in folded], number)
