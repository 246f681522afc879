"""A graph as text: the nodes of each app, each with what it follows."""

from __future__ import annotations

from framework_m_migrations.cli.document import clean
from framework_m_migrations.domain.graph import Graph, State


def render(graph: Graph) -> str:
    """Lines of plain text."""
    titles = {node.id: node.title for node in graph.nodes}
    sources: dict[str, list[str]] = {}
    for edge in graph.edges:
        what = "needs" if edge.dashed else "->" if edge.label else "after"
        label = f" ({edge.label})" if edge.label else ""
        sources.setdefault(edge.target, []).append(f"{what} {titles[edge.source]}{label}")
    lines: list[str] = []
    for group in dict.fromkeys(node.group for node in graph.nodes):
        lines += ["", group] if group else [""]
        for node in (one for one in graph.nodes if one.group == group):
            lines.append(f"  {node.title}")
            lines += [
                f"      {text}" if state in {State.PLAIN, State.PENDING} else f"    * {state}: {text}"
                for text, state in node.lines
            ]
            lines += [f"      {text}" for text in sources.get(node.id, ())]
    return "\n".join(map(clean, lines)).strip("\n") + "\n"
