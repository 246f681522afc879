"""What a database says of its objects in its own words, compared.

A dump is taken from the database's own texts (sqlite_master, SHOW CREATE TABLE, the functions of pg_catalog), never
from our reading of them: what our reader overlooks, it would overlook on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """One object of a database.

    Attributes:
        columns: of a table, by name, each with its definition, in their order; empty for other objects.
        rest: everything else that the database says of it, sorted: constraints, options, comments, or the text of an
            index, a trigger, a view.
    """

    columns: tuple[tuple[str, str], ...] = ()
    rest: tuple[str, ...] = ()


type Dump = Mapping[str, Definition]
"""Every object by kind and name: ``table customer``, ``index ix_customer_email``, ``type mood``."""


def differences(before: Dump, after: Dump) -> tuple[str, ...]:
    """What is not as before, one phrase each, in order of the objects; empty where the dumps are the same."""
    found: list[str] = []
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            found.append(f"{name} is missing")
        elif name not in before:
            found.append(f"{name} is left over")
        else:
            found.extend(f"{name}: {text}" for text in _changed(before[name], after[name]))
    return tuple(found)


def _changed(before: Definition, after: Definition) -> list[str]:
    if before == after:
        return []
    was, now = dict(before.columns), dict(after.columns)
    found = [f"column {name} is missing" for name in was if name not in now]
    found += [f"column {name} is left over" for name in now if name not in was]
    found += [
        f"column {name} is {now[name]} and was {was[name]}" for name in was if name in now and was[name] != now[name]
    ]
    gone = [text for text in before.rest if text not in after.rest]
    come = [text for text in after.rest if text not in before.rest]
    found += [f"{text} is missing" for text in gone]
    found += [f"{text} is left over" for text in come]
    # The order is worth a word only where it is all that differs.
    return found or ["the order of its columns differs"]
