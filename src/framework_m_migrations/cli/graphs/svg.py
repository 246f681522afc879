"""A graph as SVG: boxes with what is referred to above what refers to it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from itertools import batched
from xml.sax.saxutils import escape

from framework_m_migrations.cli.document import clean
from framework_m_migrations.cli.graphs.mermaid import COLOURS
from framework_m_migrations.domain.graph import Graph, Node, State, layers

_ROW = 12
"""Boxes beside each other; a longer row is broken."""
_LETTER, _LINE, _GAP, _BETWEEN = 7, 16, 24, 56
_LONGEST = 40
_PATIENCE = 30.0
"""Seconds for Graphviz."""


type Place = tuple[int, int, int, int]
"""Left, top, width and height of a box."""


def render(graph: Graph) -> str:
    """The document; Graphviz places the boxes where it is installed."""
    lines = {node.id: _lines(node) for node in graph.nodes}
    sizes = {
        name: (2 * 8 + _LETTER * max(len(text) for text, _ in found), _LINE * len(found) + 12)
        for name, found in lines.items()
    }
    places, curves, widest, height = _by_graphviz(graph, sizes) or _by_rows(graph, sizes)
    boxes = [_box(node, lines[node.id], places[node.id]) for node in graph.nodes]
    edges = []
    for edge, curve in zip(graph.edges, curves, strict=True):
        dash = ' stroke-dasharray="4 3"' if edge.dashed else ""
        title = f"<title>{_clean(edge.label)}</title>" if edge.label else ""
        edges.append(f'<path d="{curve}" marker-end="url(#to)"{dash}>{title}</path>')
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


def _by_rows(graph: Graph, sizes: Mapping[str, tuple[int, int]]) -> tuple[dict[str, Place], list[str], int, int]:
    """Boxes and curves, and the size of the whole: a row for each layer."""
    rows = [layer[start : start + _ROW] for layer in layers(graph) for start in range(0, len(layer), _ROW)]
    places: dict[str, Place] = {}
    widest = height = _GAP
    for row in rows:
        left, tallest = _GAP, 0
        for node in row:
            width, tall = sizes[node.id]
            places[node.id] = left, height, width, tall
            left, tallest = left + width + _GAP, max(tallest, tall)
        widest, height = max(widest, left), height + tallest + _BETWEEN
    curves = []
    for edge in graph.edges:
        x1, y1, w1, h1 = places[edge.source]
        x2, y2, w2, h2 = places[edge.target]
        # From the lower border to the upper one; upwards where a circle leads back.
        start, end = (y1 + h1, y2) if y2 >= y1 + h1 else (y1, y2 + h2)
        bend = (start + end) // 2
        a, b = x1 + w1 // 2, x2 + w2 // 2
        curves.append(f"M{a},{start} C{a},{bend} {b},{bend} {b},{end}")
    return places, curves, widest, height


def _by_graphviz(
    graph: Graph, sizes: Mapping[str, tuple[int, int]]
) -> tuple[dict[str, Place], list[str], int, int] | None:
    """As ``_by_rows``, by the program dot; None where it is not installed, or fails."""
    program = shutil.which("dot")
    if program is None or not graph.nodes:
        return None
    numbers = {node.id: number for number, node in enumerate(graph.nodes)}
    source = ["digraph {", 'node [shape=box, fixedsize=true, label=""]; edge [arrowhead=none];']
    source += [
        f"{number} [width={sizes[name][0] / 72}, height={sizes[name][1] / 72}];" for name, number in numbers.items()
    ]
    source += [f"{numbers[edge.source]} -> {numbers[edge.target]};" for edge in graph.edges]
    command = [program, "-Tplain", "-y"]
    try:
        done = subprocess.run(
            command, input="\n".join((*source, "}")), capture_output=True, text=True, timeout=_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    names = list(numbers)
    places: dict[str, Place] = {}
    drawn: dict[tuple[str, str], list[str]] = {}
    widest = height = 0
    for words in map(str.split, done.stdout.splitlines()):
        points = [_GAP + round(float(word) * 72) for word in words[2:4]]
        match words:
            case ["graph", _, *_]:
                widest, height = points[0] + _GAP, points[1] + _GAP
            case ["node", number, *_]:
                width, tall = sizes[name := names[int(number)]]
                places[name] = points[0] - width // 2, points[1] - tall // 2, width, tall
            case ["edge", tail, head, count, *rest]:
                path = [_GAP + round(float(word) * 72) for word in rest[: 2 * int(count)]]
                first, *others = [f"{x},{y}" for x, y in batched(path, 2)]
                drawn.setdefault((names[int(tail)], names[int(head)]), []).append(f"M{first} C{' '.join(others)}")
            case _:
                pass
    return places, [drawn[edge.source, edge.target].pop() for edge in graph.edges], widest, height


def _lines(node: Node) -> list[tuple[str, State]]:
    title = f"{node.group}: {node.title}" if node.group else node.title
    return [(_short(title), State.PLAIN), *((_short(text), state) for text, state in node.lines)]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _clean(text: str) -> str:
    return escape(clean(text))


def _box(node: Node, lines: list[tuple[str, State]], place: Place) -> str:
    x, y, width, tall = place
    fill = COLOURS.get(node.state, "#f8fafc")
    frame = f'<rect x="{x}" y="{y}" width="{width}" height="{tall}" rx="4" fill="{fill}" stroke="#334155"/>'
    parts = [f"<g>{frame}"]
    for number, (text, state) in enumerate(lines):
        bold = ' font-weight="bold"' if number == 0 else ""
        fill = "" if state is State.PLAIN else ' fill="#b91c1c"' if state is State.BREAKING else ' font-style="italic"'
        parts.append(f'<text x="{x + 8}" y="{y + 6 + _LINE * number + 11}"{bold}{fill}>{_clean(text)}</text>')
    return "".join((*parts, f"<title>{_clean(node.title)} {node.state}</title></g>"))
