"""graph: revisions and tables, in each format, and parts of what is large."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from framework_m_migrations.cli.graphs import mermaid, svg, text
from framework_m_migrations.domain.graph import Edge, Graph, Node, State, layers, part
from tests.cli._program import Project

APPS = ("--apps", "shop,stock")


def test_revisions_with_heads_pending_ones_and_dependencies(apps: Project) -> None:
    apps.run("run", "aa01", *APPS)
    drawn = apps.run("graph", *APPS).out
    assert "shop\n  aa01\n" in drawn
    assert "  aa02\n      made\n      head\n      pending\n      after aa01\n" in drawn
    assert "needs aa01" in drawn.split("stock\n")[1]
    document = apps.run("graph", "--app", "stock", "--json", *APPS).json
    assert [node["id"] for node in document["nodes"]] == ["aa01", "bb01"]
    assert document["edges"] == [{"source": "aa01", "target": "bb01", "label": "", "dashed": True}]
    assert apps.run("graph", "--app", "none", *APPS).code == 2


def test_tables_have_the_colour_of_their_riskiest_change(drifted: Project) -> None:
    drawn = drifted.run("graph", "--schema").out
    assert "* BREAKING:" in drawn
    file = drifted.path / "schema.svg"
    assert drifted.run("graph", "--schema", "--format", "svg", "--out", str(file)).code == 0
    assert mermaid.COLOURS[State.BREAKING] in file.read_text(encoding="utf-8")
    ET.fromstring(file.read_bytes())


LARGE = Graph(
    tuple(Node(f"t{n}", f"t{n}", f"app{n % 30}", lines=(("id INTEGER", State.PLAIN),)) for n in range(700)),
    tuple(Edge(f"t{n // 2}", f"t{n}", "parent") for n in range(700)),
)


def test_a_large_schema_is_drawn_by_app_and_in_parts() -> None:
    assert len(part(LARGE).nodes) == 30
    near = part(LARGE, near=["t10"])
    assert {node.id for node in near.nodes} == {"t10", "t5", "t20", "t21"}
    assert {node.id for node in part(LARGE, near=["t10"], distance=2).nodes} >= {"t2", "t11", "t40", "t43"}
    assert near.nodes[0].lines, "a small part shows columns"
    own = part(LARGE, app="app3")
    assert {f"t{n}" for n in range(3, 700, 30)} < {node.id for node in own.nodes}
    assert not any(node.lines for node in own.nodes)


def test_rows_go_down_and_circles_end() -> None:
    assert [len(row) for row in layers(LARGE)] == [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 188]
    circle = Graph((Node("a", "a", ""), Node("b", "b", "")), (Edge("a", "b"), Edge("b", "a"), Edge("a", "a")))
    assert sum(map(len, layers(circle))) == 2
    ET.fromstring(svg.render(circle))


# What Graphviz 2.42 says of two boxes with an edge and a circle.
PLAIN = """graph 1 2.25 2
node 0 1 0.25 1 0.5 "" solid box black lightgrey
node 1 1 1.5 2 1 "" solid box black lightgrey
edge 0 1 4 0.92356 0.50536 0.91255 0.60746 0.9068 0.73162 0.90629 0.85679 solid black
edge 1 1 7 2.0004 1.2874 2.1493 1.3205 2.25 1.3914 2.25 1.5 2.25 1.5713 2.2066 1.6263 2.1347 1.6651 solid black
stop"""


def test_graphviz_places_the_boxes_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph((Node("a", "a", ""), Node("b", "b", "")), (Edge("a", "b"), Edge("b", "b")))
    program = tmp_path / "dot"
    monkeypatch.setenv("PATH", str(tmp_path))
    alone = svg.render(graph)
    program.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    assert svg.render(graph) == alone, "one that fails is done without"
    program.write_text(f"#!/bin/sh\necho '{PLAIN}'\n", encoding="utf-8")
    drawn = svg.render(graph)
    ET.fromstring(drawn)
    assert "M90,60 C90,68 89,77 89,86" in drawn
    assert alone.count("<path d=") == drawn.count("<path d=") == 3


@pytest.mark.parametrize("name", ['a"]<b>&\x01', "ünï\ncode"])
def test_names_break_no_format(name: str) -> None:
    graph = Graph((Node(name, name, name, State.SAFE, ((name, State.SAFE),)),), ())
    ET.fromstring(svg.render(graph))
    drawn = mermaid.render(graph)
    assert '"]<b>' not in drawn
    assert "\x01" not in drawn + text.render(graph)
