"""The results of a run under load, as tables."""

from __future__ import annotations

from typing import Any

from rich.table import Table

WHO = (("engine", "engine"), ("alembic", "Alembic"))
HEADS = ("statement", "stall", "refused", "took")


def table(document: dict[str, Any]) -> Table:
    """For a terminal: the engine's longest stall beside the lock timeout and beside plain Alembic's."""
    load = document["load"]
    made = Table(
        title=f"{load['rows']:,} rows, {load['rate']:g} operations a second each of a writer and a reader, "
        f"a report of {load['reader']:g} s; lock timeout {document['lock_timeout_ms']} ms"
    )
    made.add_column("change", min_width=24)
    for _, name in WHO:
        for head in HEADS:
            made.add_column(f"{name} {head}", justify="right")
    for row in _rows(document):
        made.add_row(*row)
    return made


def markdown(document: dict[str, Any]) -> str:
    """The same for docs/online.md."""
    heads = ["change", *(f"{name}: {HEADS[0]}" if not n else HEADS[n] for _, name in WHO for n in range(len(HEADS)))]
    lines = [heads, ["---"] * len(heads), *_rows(document)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _rows(document: dict[str, Any]) -> list[list[str]]:
    return [
        [name, *(cell for who, _ in WHO for cell in _cells(found.get(who)))]
        for name, found in document["changes"].items()
    ]


def _cells(result: dict[str, Any] | None) -> list[str]:
    if result is None:
        return ["-"] * len(HEADS)
    if "error" in result:
        return ["failed", "-", "-", "-"]
    return [
        f"{result['longest_statement_ms']} ms",
        f"{result['longest_stall_ms']} ms",
        _refused(result),
        f"{result['seconds']:.0f} s",
    ]


def _refused(result: dict[str, Any]) -> str:
    """``2``; or ``2; psycopg 80``, where clients that prepare were refused statements too."""
    prepared = result.get("refused_prepared", {})
    return "; ".join([str(result["refused"]), *(f"{kind} {number}" for kind, number in sorted(prepared.items()))])
