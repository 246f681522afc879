"""Options of sequences without what their type gives them anyway, and clauses of sequences and domains."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa

from framework_m_migrations.domain.schema import Generated

_WORDS = {"increment": "INCREMENT BY", "cache": "CACHE", "start": "START WITH"}
_LIMITS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}


def sequence_options(
    base: str,
    *,
    start: int | None,
    increment: int,
    minimum: int | None,
    maximum: int | None,
    cycle: bool,
    cache: int,
) -> tuple[tuple[str, str], ...]:
    """Canonical (name, value) pairs, sorted; None means the default of the type ``base``.

    The defaults are those of CREATE SEQUENCE: from 1 upwards, or from -1 downwards, to the limits of the type.
    """
    limit = _LIMITS.get(base, 2**63)
    up = increment > 0
    default_minimum, default_maximum = (1, limit - 1) if up else (-limit, -1)
    low = default_minimum if minimum is None else minimum
    high = default_maximum if maximum is None else maximum
    begin = (low if up else high) if start is None else start
    options: dict[str, str] = {}
    # What CREATE SEQUENCE takes, if nothing is said.
    if begin != (low if up else high):
        options["start"] = str(begin)
    if increment != 1:
        options["increment"] = str(increment)
    if low != default_minimum:
        options["minvalue"] = str(low)
    if high != default_maximum:
        options["maxvalue"] = str(high)
    if cycle:
        options["cycle"] = "true"
    if cache != 1:
        options["cache"] = str(cache)
    return tuple(sorted(options.items()))


def declared_sequence_options(declared: sa.Identity | sa.Sequence, base: str) -> tuple[tuple[str, str], ...]:
    """The options that a wanted identity column or sequence asks for."""
    return sequence_options(
        base,
        start=declared.start,
        increment=1 if declared.increment is None else declared.increment,
        minimum=None if declared.nominvalue else declared.minvalue,
        maximum=None if declared.nomaxvalue else declared.maxvalue,
        cycle=bool(declared.cycle),
        cache=1 if declared.cache is None else declared.cache,
    )


def option_clause(name: str, options: dict[str, str]) -> str:
    """One option of a sequence, its default where it is not among ``options``."""
    value = options.get(name)
    if name == "cycle":
        return "CYCLE" if value == "true" else "NO CYCLE"
    if name in {"minvalue", "maxvalue"}:
        return f"NO {name.upper()}" if value is None else f"{name.upper()} {value}"
    if value is None:
        down = options.get("increment", "1").startswith("-")
        first = options.get("maxvalue", "-1") if down else options.get("minvalue", "1")
        value = first if name == "start" else "1"
    return f"{_WORDS[name]} {value}"


def identity_sql(generated: Generated) -> str:
    """``GENERATED ... AS IDENTITY`` with its options."""
    options = dict(generated.options)
    listed = [option_clause(name, options) for name in sorted(options)]
    clause = f"GENERATED {'ALWAYS' if generated.always else 'BY DEFAULT'} AS IDENTITY"
    return f"{clause} ({' '.join(listed)})" if listed else clause


def sequence_clauses(before: dict[str, str] | None, has: dict[str, str]) -> list[str]:
    """The clauses that turn the one set of options into the other; without a sequence before, of CREATE SEQUENCE."""
    had = before or {}
    turned = had.get("increment", "1").startswith("-") is not has.get("increment", "1").startswith("-")
    # The server keeps the limits of the former direction, between which the sequence stands.
    bounds = {"minvalue", "maxvalue", "start"} if turned and before is not None else set()
    names = ("increment", "minvalue", "maxvalue", "start", "cache", "cycle")

    def differs(name: str) -> bool:
        return option_clause(name, had) != option_clause(name, has)

    typed = [] if had.get("as") == has.get("as") else [f"AS {has.get('as', 'bigint')}"]
    clauses = [option_clause(name, has) for name in names if name in bounds or differs(name)]
    return [*typed, *clauses, *(["RESTART"] if bounds else [])]


def domain_clauses(options: Mapping[str, str], quote: Callable[[str], str]) -> str:
    """The type of a domain and what follows it; ``quote`` writes a name."""
    parts = [options["type"]]
    parts += [f"DEFAULT {options['default']}"] if "default" in options else []
    parts += ["NOT NULL"] if "not_null" in options else []
    for name, check in options.items():
        if name.startswith("check."):
            parts.append(f"CONSTRAINT {quote(name.removeprefix('check.'))} CHECK ({check})")
    return " ".join(parts)
