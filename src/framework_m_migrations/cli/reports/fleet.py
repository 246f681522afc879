"""What the commands over many tenants show: those of which there is something to tell, then the sum."""

from __future__ import annotations

from framework_m_migrations.cli.document import Block, Document, Grid, Heading, Span, Spans, Style, line
from framework_m_migrations.cli.redaction import hide
from framework_m_migrations.cli.reports.shared import SHOWN_ROWS, plural
from framework_m_migrations.domain.results import FleetResult, TenantOutcome

SHARED = "(shared)"
"""Stands for what all tenants of a database share, where a name is expected."""

QUIET_STATES = frozenset({"unchanged", "clean", "ready"})
_STYLES: dict[str, tuple[Style, str]] = {
    "failed": ("breaking", "✖"),
    "dirty": ("breaking", "✖"),
    "not ready": ("breaking", "✖"),
    "withheld": ("warning", "▲"),
    "pending": ("warning", "▲"),
}


def fleet_report(result: FleetResult, *, verbose: bool = False, url: str = "") -> Document:
    """A row for each tenant that is not as it was before, and how many there are of each state.

    Args:
        result: of the command.
        verbose: a row for every tenant.
        url: the database URL, whose password is kept out of failures.
    """
    told = [one for one in result.outcomes if verbose or one.state not in QUIET_STATES or one.counts[1]]
    failed = [one for one in told if one.state == "failed"]
    others = [one for one in told if one.state != "failed"]
    shown = others if verbose else others[:SHOWN_ROWS]
    blocks: list[Block] = []
    if shown:
        blocks += [Heading("Tenants"), Grid(_headers(result), tuple(map(_row, shown)))]
    if len(shown) < len(others):
        blocks.append(
            line(Span(f"... and {plural(len(others) - len(shown), 'more tenant')}; -v lists all.", "dim"), indent=1)
        )
    if failed:
        blocks += [Heading("Failed"), Grid(("STATE", "TENANT", "ERROR"), tuple(_failure(one, url) for one in failed))]
        steps = dict.fromkeys(one.error.next_step for one in failed if one.error is not None)
        blocks += [Heading("Next"), *(line(hide(step, url), indent=1) for step in steps)]
    return (*blocks, *((Heading("Summary"),) if blocks else ()), *_summary(result))


def _headers(result: FleetResult) -> tuple[str, ...]:
    done = "APPLIED" if result.command in {"sync", "all"} else "TO APPLY"
    return ("STATE", "TENANT", done, "WITHHELD", "TIME")


def _row(outcome: TenantOutcome) -> Spans:
    applied, withheld = outcome.counts
    style, mark = _STYLES.get(outcome.state, ("safe", "●"))
    return (
        Span(outcome.state, style, mark),
        _name(outcome),
        Span(str(applied)),
        Span(str(withheld), "warning" if withheld else ""),
        Span(f"{outcome.seconds:.2f} s" if outcome.seconds else "-", "dim"),
    )


def _failure(outcome: TenantOutcome, url: str) -> Spans:
    error = outcome.error
    what = "it is not known why" if error is None else f"{error.code}: {hide(error.what, url)}"
    return Span("failed", "breaking", "✖"), _name(outcome), Span(what)


def _name(outcome: TenantOutcome) -> Span:
    return Span(SHARED if outcome.tenant is None else outcome.tenant, "bold")


def _summary(result: FleetResult) -> tuple[Block, ...]:
    words = ", ".join(f"{number} {state}" for state, number in result.states.items())
    style: Style = "breaking" if result.failed or result.dirty else "safe"
    blocks: list[Block] = [
        line(Span(f"{plural(len(result.tenants), 'tenant')}: {words}", style), f" ({result.seconds:.2f} s).")
    ]
    revisions = [revision for run in result.runs for revision in run.revisions]
    if revisions:
        blocks.insert(0, line(f"Revisions applied: {', '.join(revisions)}."))
    if result.shared:
        states = ", ".join(outcome.state for outcome in result.shared)
        blocks.append(line(f"What they share: {states}."))
    return tuple(blocks)
