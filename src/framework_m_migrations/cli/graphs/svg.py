"""A graph as SVG: boxes in rows, with what is referred to above what refers to it."""

from __future__ import annotations

from xml.sax.saxutils import escape

from framework_m_migrations.cli.document import clean
from framework_m_migrations.cli.graphs.mermaid import COLOURS
from framework_m_migrations.domain.graph import Graph, Node, State, layers

_ROW = 12
"""Boxes beside each other; a longer row is broken."""
_LETTER, _LINE, _GAP, _BETWEEN = 7, 16, 24, 56
_LONGEST = 40


def render(graph: Graph) -> str:
    """The document."""
    rows = [layer[start : start + _ROW] for layer in layers(graph) for start in range(0, len(layer), _ROW)]
    places: dict[str, tuple[int, int, int, int]] = {}
    boxes: list[str] = []
    widest = height = _GAP
    for row in rows:
        left, tallest = _GAP, 0
        for node in row:
            lines = _lines(node)
            width = 2 * 8 + _LETTER * max(len(text) for text, _ in lines)
            tall = _LINE * len(lines) + 12
            places[node.id] = left, height, width, tall
            boxes.append(_box(node, lines, places[node.id]))
            left, tallest = left + width + _GAP, max(tallest, tall)
        widest, height = max(widest, left), height + tallest + _BETWEEN
    edges = []
    for edge in graph.edges:
        x1, y1, w1, h1 = places[edge.source]
        x2, y2, w2, h2 = places[edge.target]
        # From the lower border to the upper one; upwards where a circle leads back.
        start, end = (y1 + h1, y2) if y2 >= y1 + h1 else (y1, y2 + h2)
        bend = (start + end) // 2
        a, b = x1 + w1 // 2, x2 + w2 // 2
        dash = ' stroke-dasharray="4 3"' if edge.dashed else ""
        title = f"<title>{_clean(edge.label)}</title>" if edge.label else ""
        edges.append(
            f'<path d="M{a},{start} C{a},{bend} {b},{bend} {b},{end}" marker-end="url(#to)"{dash}>{title}</path>'
        )
    return "\n".join(
        (
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{widest}" height="{height}" '
                f'viewBox="0 0 {widest} {height}" font-family="monospace" font-size="12">'
            ),
            (
                '<defs><marker id="to" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
                'orient="auto">'
                '<path d="M0,0 L8,4 L0,8 z" fill="#64748b"/></marker></defs>'
            ),
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            '<g fill="none" stroke="#64748b">',
            *edges,
            "</g>",
            *boxes,
            "</svg>\n",
        )
    )


def _lines(node: Node) -> list[tuple[str, State]]:
    title = f"{node.group}: {node.title}" if node.group else node.title
    return [(_short(title), State.PLAIN), *((_short(text), state) for text, state in node.lines)]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _clean(text: str) -> str:
    return escape(clean(text))


def _box(node: Node, lines: list[tuple[str, State]], place: tuple[int, int, int, int]) -> str:
    x, y, width, tall = place
    fill = COLOURS.get(node.state, "#f8fafc")
    frame = f'<rect x="{x}" y="{y}" width="{width}" height="{tall}" rx="4" fill="{fill}" stroke="#334155"/>'
    parts = [f"<g>{frame}"]
    for number, (text, state) in enumerate(lines):
        bold = ' font-weight="bold"' if number == 0 else ""
        fill = "" if state is State.PLAIN else ' fill="#b91c1c"' if state is State.BREAKING else ' font-style="italic"'
        parts.append(f'<text x="{x + 8}" y="{y + 6 + _LINE * number + 11}"{bold}{fill}>{_clean(text)}</text>')
    return "".join((*parts, f"<title>{_clean(node.title)} {node.state}</title></g>"))
