"""Pictures as values: what `graph` draws of revisions and of tables, before any format."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase

from framework_m_migrations.domain.changes import TableRemoved
from framework_m_migrations.domain.describe import sentence
from framework_m_migrations.domain.plan import PlannedChange, Risk
from framework_m_migrations.domain.results import HistoryResult
from framework_m_migrations.domain.schema import DocTypeSchema

DETAILED = 40
"""With more nodes, columns are left out."""
LARGEST = 100
"""With more nodes, a graph that nobody chose a part of shows one node for each app."""


class State(StrEnum):
    """What colours a node or a line of it; the later ones outrank the earlier ones."""

    PLAIN = "plain"
    PENDING = "pending"
    SAFE = "SAFE"
    WARNING = "WARNING"
    BREAKING = "BREAKING"


_RANK = {state: rank for rank, state in enumerate(State)}
_BY_RISK = {Risk.SAFE: State.SAFE, Risk.WARNING: State.WARNING, Risk.BREAKING: State.BREAKING}


@dataclass(frozen=True, slots=True)
class Node:
    """A revision, a table, or an app.

    Attributes:
        id: unique in the graph.
        title: its name.
        group: the app, empty for none.
        state: the state of it as a whole.
        lines: what is shown below the title, each with its state.
    """

    id: str
    title: str
    group: str
    state: State = State.PLAIN
    lines: tuple[tuple[str, State], ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """From ``source``, which comes first or is referred to, to ``target``; ``dashed`` for a dependency across apps."""

    source: str
    target: str
    label: str = ""
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in their order, and edges between them."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def revision_graph(history: HistoryResult) -> Graph:
    """Revisions with what they follow and depend on; pending ones and heads are marked."""
    heads = {revision.id for revision, _ in history.heads().revisions}
    nodes, edges = [], []
    for revision, applied in history.revisions:
        lines = [(revision.message, State.PLAIN)] if revision.message else []
        lines += [("head", State.PLAIN)] if revision.id in heads else []
        state = State.PLAIN if applied else State.PENDING
        lines += [] if applied else [("pending", State.PENDING)]
        nodes.append(Node(revision.id, revision.id, revision.app or "", state, tuple(lines)))
        edges += [Edge(parent, revision.id) for parent in revision.down_revisions]
        edges += [Edge(parent, revision.id, dashed=True) for parent in revision.depends_on]
    return _whole(nodes, edges)


def schema_graph(wanted: Sequence[DocTypeSchema], changes: Sequence[PlannedChange]) -> Graph:
    """The tables of the models with their foreign keys, and those that go; pending changes by their risk."""
    pending: dict[str, list[PlannedChange]] = {}
    for one in changes:
        pending.setdefault(str(one.change.table), []).append(one)

    def node(name: str, group: str, columns: Collection[str]) -> Node:
        found = [(f"{sentence(one.change)}", _BY_RISK[one.judgement.risk]) for one in pending.pop(name, ())]
        state = max((state for _, state in found), key=_RANK.__getitem__, default=State.PLAIN)
        return Node(name, name, group, state, (*((column, State.PLAIN) for column in columns), *found))

    nodes, edges = [], []
    for doctype in wanted:
        for table in doctype.tables:
            name = str(table.name)
            nodes.append(node(name, doctype.app or "", [f"{one.name} {one.type.spelling}" for one in table.columns]))
            edges += [Edge(str(key.target), name, ", ".join(key.columns)) for key in table.foreign_keys]
    gone = {str(one.change.table): one.app or "" for one in changes if isinstance(one.change, TableRemoved)}
    nodes += [node(name, app, ()) for name, app in gone.items() if name in pending]
    return _whole(nodes, edges)


def part(graph: Graph, *, app: str | None = None, near: Sequence[str] = (), distance: int = 1) -> Graph:
    """What was asked for, in the detail that its size allows.

    Args:
        graph: all of it.
        app: only nodes of this app, and those of others that have an edge to one of them.
        near: only nodes with such a name (``*`` and ``?`` as in a shell), and their neighbours.
        distance: how many edges away a neighbour of ``near`` may be.
    """
    if app is None and not near and len(graph.nodes) > LARGEST:
        return _apps(graph)
    kept = {node.id for node in graph.nodes}
    if near:
        kept = {node.id for node in graph.nodes if any(fnmatchcase(node.title, pattern) for pattern in near)}
        kept = _reached(graph, kept, distance)
    if app is not None:
        kept &= _reached(graph, {node.id for node in graph.nodes if node.group == app}, 1)
    nodes = [node for node in graph.nodes if node.id in kept]
    if len(nodes) > DETAILED:
        nodes = [replace(node, lines=tuple(one for one in node.lines if one[1] is not State.PLAIN)) for node in nodes]
    return _whole(nodes, graph.edges)


def _reached(graph: Graph, start: set[str], distance: int) -> set[str]:
    beside: dict[str, set[str]] = {}
    for edge in graph.edges:
        beside.setdefault(edge.source, set()).add(edge.target)
        beside.setdefault(edge.target, set()).add(edge.source)
    found, last = set(start), set(start)
    for _ in range(distance):
        last = {other for name in last for other in beside.get(name, ())} - found
        found |= last
    return found


def _apps(graph: Graph) -> Graph:
    """One node for each app, with how much it has and how much of that is not plain."""
    groups = {node.id: node.group for node in graph.nodes}
    sizes = Counter(groups.values())
    states = Counter((node.group, node.state) for node in graph.nodes)
    nodes = [
        Node(
            group or "-",
            group or "no app",
            "",
            max((state for state in State if states[group, state]), key=_RANK.__getitem__),
            (
                (f"{size} in all", State.PLAIN),
                *(
                    (f"{states[group, state]} {state}", state)
                    for state in State
                    if state is not State.PLAIN and states[group, state]
                ),
            ),
        )
        for group, size in sizes.items()
    ]
    between = Counter((groups[edge.source], groups[edge.target]) for edge in graph.edges)
    edges = [Edge(a or "-", b or "-", str(count)) for (a, b), count in between.items() if a != b]
    return Graph(tuple(nodes), tuple(edges))


def layers(graph: Graph) -> tuple[tuple[Node, ...], ...]:
    """Nodes by the longest way from one that follows none; edges that close a circle do not count."""
    followers: dict[str, list[str]] = {}
    waiting = {node.id: 0 for node in graph.nodes}
    for edge in graph.edges:
        if edge.source != edge.target:
            followers.setdefault(edge.source, []).append(edge.target)
            waiting[edge.target] += 1
    depth = dict.fromkeys(waiting, 0)
    ready = deque(name for name, count in waiting.items() if not count)
    left = dict.fromkeys(waiting)
    while left:
        name = ready.popleft() if ready else next(iter(left))
        if name not in left:
            continue
        del left[name]
        for follower in followers.get(name, ()):
            if follower in left:
                depth[follower] = max(depth[follower], depth[name] + 1)
                waiting[follower] -= 1
                if not waiting[follower]:
                    ready.append(follower)
    rows: dict[int, list[Node]] = {}
    for node in sorted(graph.nodes, key=lambda node: node.group):
        rows.setdefault(depth[node.id], []).append(node)
    return tuple(tuple(rows[row]) for row in sorted(rows))


def _whole(nodes: Sequence[Node], edges: Sequence[Edge]) -> Graph:
    """Without edges to what is not shown, and without the second of two that are equal."""
    known = {node.id for node in nodes}
    shown = dict.fromkeys(edge for edge in edges if edge.source in known and edge.target in known)
    return Graph(tuple(nodes), tuple(shown))
