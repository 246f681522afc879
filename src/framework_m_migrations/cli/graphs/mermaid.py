"""A graph as a Mermaid flowchart, which GitHub and GitLab show in Markdown."""

from __future__ import annotations

import html

from framework_m_migrations.cli.document import clean
from framework_m_migrations.domain.graph import Graph, Node, State

COLOURS = {
    State.PENDING: "#dbeafe",
    State.SAFE: "#dcfce7",
    State.WARNING: "#fef3c7",
    State.BREAKING: "#fee2e2",
}


def render(graph: Graph) -> str:
    """The text of the flowchart."""
    ids = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart TB"]
    for number, group in enumerate(dict.fromkeys(node.group for node in graph.nodes)):
        own = [f"{ids[node.id]}[{_label(node)}]" for node in graph.nodes if node.group == group]
        if group:
            lines += [f"  subgraph g{number}[{_quoted(group)}]", *(f"    {text}" for text in own), "  end"]
        else:
            lines += [f"  {text}" for text in own]
    for edge in graph.edges:
        arrow = "-.->" if edge.dashed else "-->"
        label = f"|{_quoted(edge.label)}|" if edge.label else ""
        lines.append(f"  {ids[edge.source]} {arrow}{label} {ids[edge.target]}")
    for state, colour in COLOURS.items():
        if found := [ids[node.id] for node in graph.nodes if node.state is state]:
            lines += [
                f"  classDef {state.lower()} fill:{colour},color:#111",
                f"  class {','.join(found)} {state.lower()}",
            ]
    return "\n".join(lines) + "\n"


def _label(node: Node) -> str:
    texts = [text if state is State.PLAIN else f"{state}: {text}" for text, state in node.lines if text != state]
    return _quoted(node.title, *texts)


def _quoted(*lines: str) -> str:
    return '"' + "<br/>".join(html.escape(clean(line)).replace("#", "#35;") for line in lines) + '"'
