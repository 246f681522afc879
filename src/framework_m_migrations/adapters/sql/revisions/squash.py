"""One revision in the place of many.

The new file has the id of the last revision that it replaces. So a database that is at that one, or past it, is where
it was, revisions that follow need no change, and plain Alembic sees an ordinary history. Its functions are those of the
replaced files, each in a scope of its own: what moved rows still does.

The replaced files go into the folder ``squashed`` beside it, where they are looked for as soon as a database is at one
of them: for such a database they are the history still (``track.AlembicTrack``). Once no such database is left, the
folder can be deleted.
"""

from __future__ import annotations

import ast
import contextlib
import io
import tempfile
import tokenize
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic.runtime.environment import EnvironmentContext

from framework_m_migrations.adapters.sql.revisions.environment import exclusive
from framework_m_migrations.adapters.sql.revisions.failures import cause_of
from framework_m_migrations.adapters.sql.revisions.library import SQUASHED, Library, Location, offline_config
from framework_m_migrations.adapters.sql.revisions.run import RevisionRun
from framework_m_migrations.adapters.sql.revisions.surroundings import Surroundings, known_to_helpers
from framework_m_migrations.adapters.sql.revisions.transaction import Scopes
from framework_m_migrations.adapters.sql.revisions.writer.source import docstring, layout
from framework_m_migrations.domain.defined import Dump
from framework_m_migrations.domain.errors import MigrationError, RevisionError
from framework_m_migrations.domain.revisions import SquashDraft, SquashResult

_HEADER = frozenset(
    {"revision", "down_revision", "branch_labels", "depends_on", "contract_of", "drops", "new_database", "replaces"}
)
_SPLITS = {tokenize.STRING, tokenize.FSTRING_MIDDLE}

type State = tuple[Dump, dict[str, list[str]]]
"""The catalogue's own texts, and the rows of each table."""


@dataclass(frozen=True, slots=True)
class Squasher:
    """Writes and proves.

    Attributes:
        library: all revisions.
        connection: the session's; only to wait for Alembic's globals.
        scopes: of the database on which the proof is made.
        surroundings: for helpers that revisions call.
        version_table: name and schema of Alembic's table.
        empty: opens an empty database, which is gone after the block.
        state: what a database holds: its objects in its own words, and the rows of each table.
        product: the name of the database.
    """

    library: Library
    connection: sa.Connection
    scopes: Scopes
    surroundings: Surroundings
    version_table: tuple[str, str | None]
    empty: Callable[[], AbstractContextManager[sa.Engine]]
    state: Callable[[sa.Connection], State]
    product: str

    def squash(self, draft: SquashDraft, *, dry_run: bool) -> SquashResult:
        """Prove, then write; see VersionedTrack.squash."""
        files = [Path(self.library.script(one.id).path) for one in draft.replaced]
        folder = files[-1].parent
        kept = folder / SQUASHED
        if kept.is_dir() and any(kept.glob("*.py")):
            raise RevisionError(
                f"{kept} holds the files that an earlier squash replaced.",
                next_step="Delete it once every database has the revision that replaced them, then squash again.",
            )
        if any(file.parent != folder for file in files):
            raise RevisionError(f"The revisions of app {draft.app!r} are in several folders.", next_step="Move them.")
        text = squashed_text(draft, [file.read_text(encoding="utf-8") for file in files])
        notes = self._prove(draft, files, text)
        ids = tuple(one.id for one in draft.replaced)
        ways = "Upgrade and downgrade make" if _reversible(files) else "Upgrade makes"
        proof = f"{ways} the same schema and rows as the replaced revisions on an empty {self.product}."
        if dry_run:
            return SquashResult(draft.app, draft.id, None, text, ids, None, proof, notes)
        path = _write(folder, kept, files, f"{draft.id}_squashed.py", text)
        return SquashResult(draft.app, draft.id, str(path), text, ids, str(kept), proof, notes)

    def _prove(self, draft: SquashDraft, files: Sequence[Path], text: str) -> tuple[str, ...]:
        """Run both histories on empty databases and compare what is there; raises RevisionError where it differs."""
        graph = self.library.graph
        order = [name for name in graph.order if name in graph.closure([draft.id])]
        own = [one.id for one in draft.replaced]
        with tempfile.TemporaryDirectory() as place, exclusive(self.connection):
            Path(place, f"{draft.id}_squashed.py").write_text(text, encoding="utf-8")
            locations = (*self.library.locations, Location(Path(place), draft.app))
            skip = frozenset(file.resolve() for file in files)
            one_file = Library(locations, Path(self.library.dir), skip=skip)
            within = set(own) - {draft.id}
            back = _reversible(files)
            before = self._history(self.library, order, own[::-1] if back else [])
            after = self._history(one_file, [name for name in order if name not in within], [draft.id] if back else [])
        notes: list[str] = []
        for way, (old_schema, old_rows), (new_schema, new_rows) in zip(
            ("upgrade", "downgrade"), before, after, strict=False
        ):
            if old_schema != new_schema or {t: len(r) for t, r in old_rows.items()} != {
                t: len(r) for t, r in new_rows.items()
            }:
                raise RevisionError(
                    f"After {way} the squashed revision leaves another database than the revisions that it replaces.",
                    next_step="Look for code in them that depends on what was run before, and squash without them.",
                )
            differing = sorted(table for table, rows in old_rows.items() if rows != new_rows[table])
            notes += [f"After {way}, rows of {table} have other values at each run." for table in differing]
        return tuple(notes)

    def _history(self, library: Library, up: Sequence[str], down: Sequence[str]) -> list[State]:
        """What is there after these revisions, and after taking some of them back."""
        with self.empty() as engine, engine.connect() as copy, known_to_helpers(copy, self.surroundings):
            for name in up:
                self._run(library, name, copy, upgrade=True)
            states = [self.state(copy)]
            for name in down:
                self._run(library, name, copy, upgrade=False)
            return [*states, self.state(copy)] if down else states

    def _run(self, library: Library, name: str, copy: sa.Connection, *, upgrade: bool) -> None:
        try:
            run = RevisionRun(
                library,
                name,
                upgrade=upgrade,
                connection=copy,
                scopes=self.scopes,
                limits=self.surroundings.locks.limits,
                version_table_schema=self.version_table[1],
            )
            with (
                contextlib.redirect_stdout(io.StringIO()),
                run.shared(),
                EnvironmentContext(offline_config(), library, fn=run.steps) as environment,
            ):
                environment.configure(
                    connection=copy,
                    version_table=self.version_table[0],
                    version_table_schema=self.version_table[1],
                    transaction_per_migration=True,
                )
                environment.run_migrations()
        except MigrationError as error:
            raise RevisionError(
                f"Equivalence cannot be proven: {'upgrade' if upgrade else 'downgrade'} of revision {name} fails on an "
                f"empty {self.product}: {cause_of(error.__cause__ or error)}.",
                next_step="Make the revision fit to run on an empty database, squash to a revision before it, or name "
                "an empty database of the right kind with --scratch-url.",
                details={"revision": name},
            ) from error


def squashed_text(draft: SquashDraft, sources: Sequence[str]) -> str:
    """The new file.

    Args:
        draft: its header.
        sources: the replaced files, in order.

    Raises:
        RevisionError: a file has code that is only possible at the top of a module.
    """
    names = [_function_name(one.id) for one in draft.replaced]
    upward = [f'    {name}("upgrade")' for name in names]
    lines = [
        docstring(
            f"{draft.message}\n\nReplaces {len(names)} revisions, each of which is a function below. Their files "
            f"are in the folder {SQUASHED}, for databases that have a part of them."
        ),
        "",
        "from __future__ import annotations",
        "",
        f"revision = {draft.id!r}",
        *layout(f"down_revision = {_scalar(draft.down_revisions)!r}", 0),
        *layout(f"branch_labels = {draft.branch_labels or None!r}", 0),
        *layout(f"depends_on = {_scalar(draft.depends_on)!r}", 0),
        *(['new_database = "sync"'] if draft.beside_sync else []),
        *layout(f"replaces = {tuple(one.id for one in draft.replaced)!r}", 0),
        *("", "", "def upgrade() -> None:", *upward),
    ]
    trees = [ast.parse(source) for source in sources]
    if all(_has_downgrade(tree) for tree in trees):
        lines += ["", "", "def downgrade() -> None:", *(f'    {name}("downgrade")' for name in reversed(names))]
    for one, name, source, tree in zip(draft.replaced, names, sources, trees, strict=True):
        lines += ["", "", f"def {name}(way: str) -> None:", f"    # {one.id}: {' '.join(one.message.split())}"]
        lines += _scoped(one.id, source, tree)
        chosen = '(upgrade if way == "upgrade" else downgrade)()' if _has_downgrade(tree) else "upgrade()"
        lines += ["", f"    {chosen}"]
    text = "\n".join((*lines, ""))
    try:
        compile(text, draft.id, "exec")
    except SyntaxError as error:
        raise RevisionError(
            f"The revisions cannot be joined in one file: {error.msg}.",
            next_step="Rewrite what is only possible at the top of a module, such as `from x import *`.",
        ) from error
    return text


def _scoped(revision: str, source: str, tree: ast.Module) -> list[str]:
    """A module's code for the body of a function: without header and docstring, indented but for texts."""
    left_out: set[int] = set()
    for number, node in enumerate(tree.body):
        doc = number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if doc or future or _targets(node) & _HEADER:
            if not doc and not future and not _targets(node) <= _HEADER:
                raise RevisionError(
                    f"Revision {revision} sets its header together with something else.",
                    next_step="Write each on a line of its own.",
                )
            left_out.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    texts: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in _SPLITS:
            texts.update(range(token.start[0] + 1, token.end[0] + 1))
    kept = [
        line if number in texts or not line.strip() else f"    {line}"
        for number, line in enumerate(source.splitlines(), start=1)
        if number not in left_out
    ]
    return "\n".join(kept).strip("\n").split("\n")


def _targets(node: ast.stmt) -> set[str]:
    match node:
        case ast.Assign(targets=targets):
            return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case _:
            return set()


def _has_downgrade(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == "downgrade" for node in tree.body)


def _reversible(files: Sequence[Path]) -> bool:
    return all(_has_downgrade(ast.parse(file.read_text(encoding="utf-8"))) for file in files)


def _function_name(revision: str) -> str:
    return "_revision_" + "".join(letter if letter.isalnum() else "_" for letter in revision)


def _scalar(values: tuple[str, ...]) -> str | tuple[str, ...] | None:
    return values[0] if len(values) == 1 else values or None


def _write(folder: Path, kept: Path, files: Sequence[Path], name: str, text: str) -> Path:
    """The new file in the place of the old ones; all of it or nothing."""
    path, draft = folder / name, folder / f".{name}.new"
    moved: list[tuple[Path, Path]] = []
    try:
        kept.mkdir(exist_ok=True)
        draft.write_text(text, encoding="utf-8", newline="\n")
        for file in files:
            file.rename(kept / file.name)
            moved.append((kept / file.name, file))
        draft.rename(path)
    except OSError as error:
        for now, before in reversed(moved):
            now.rename(before)
        draft.unlink(missing_ok=True)
        raise RevisionError(
            f"The revision cannot be written to {folder}: {error.strerror or error}.",
            next_step="Make the folder writable.",
        ) from error
    return path
