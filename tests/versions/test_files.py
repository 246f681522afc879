"""Files that do not fit together: each has an error of its own that names them."""

from __future__ import annotations

import shutil

import pytest

from framework_m_migrations.domain.errors import (
    MultipleHeads,
    RevisionCycle,
    RevisionFileBroken,
    UnknownRevision,
)
from tests.versions.support import Apps, Bench

A1, A2, B1 = "aaaaaaaaaaa1", "aaaaaaaaaaa2", "bbbbbbbbbbb1"
GOOD = 'revision = "aaaaaaaaaaa1"\ndown_revision = None\ndef upgrade(): pass\ndef downgrade(): pass\n'


@pytest.mark.parametrize(
    ("text", "told", "line"),
    [
        ("revision = 'x'\ndef upgrade(:\n", "SyntaxError", 2),
        ("revision = 'x'\nimport no_such_module\n", "no_such_module", 2),
        ("revision = 'x'\n\n\nraise ValueError('boom')\n", "boom", 4),
        ("down_revision = None\ndef upgrade(): pass\n", "has no `revision", None),
        ("revision = 'x'\ndef upgrade(): pass\n", "no `down_revision", None),
        ("revision = 'x'\ndown_revision = None\n", "no function upgrade", None),
        ("revision = 17\ndown_revision = None\n", "has no `revision", None),
        (f"revision = '{'x' * 256}'\ndown_revision = None\n", "256 characters", None),
        ("revision = 'a@b'\ndown_revision = None\n", "holds @", None),
        ('revision = "a\'b"\ndown_revision = None\n', "holds '", None),
        ("revision = 'x'\ndown_revision = 7\ndef upgrade(): pass\n", "down_revision", None),
    ],
)
def test_broken_file(sqlite_bench: Bench, apps: Apps, text: str, told: str, line: int | None) -> None:
    apps.revision("crm", B1)
    file = apps.file("wms", "migrations/versions/x.py", text)
    with pytest.raises(RevisionFileBroken) as caught:
        sqlite_bench.track().graph()
    assert told in caught.value.what
    assert str(file) in caught.value.what
    assert caught.value.details["line"] == line
    assert caught.value.details["app"] == "wms"


def test_two_files_with_one_id(sqlite_bench: Bench, apps: Apps) -> None:
    first = apps.revision("wms", A1)
    second = apps.revision("crm", A1)
    with pytest.raises(RevisionFileBroken) as caught:
        sqlite_bench.track().graph()
    assert str(first) in caught.value.what
    assert str(second) in caught.value.what


@pytest.mark.parametrize("field", ["down", "depends_on"])
def test_parent_that_nobody_has(sqlite_bench: Bench, apps: Apps, field: str) -> None:
    if field == "down":
        apps.revision("wms", A1, down="gone00000000")
    else:
        apps.revision("wms", A1, depends_on="gone00000000")
    with pytest.raises(UnknownRevision, match="gone00000000"):
        sqlite_bench.track().graph()


def test_dependency_that_fits_two(sqlite_bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1)
    apps.revision("wms", A2, down=A1)
    apps.revision("crm", B1, depends_on="aaaaaaaa")
    with pytest.raises(UnknownRevision, match=f"{A1}, {A2}"):
        sqlite_bench.track().graph()


def test_dependency_on_a_moving_head(sqlite_bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1, labels=("wms",))
    apps.revision("crm", B1, depends_on="wms@head")
    with pytest.raises(RevisionFileBroken, match="fixed revision"):
        sqlite_bench.track().graph()


def test_cycles(sqlite_bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1, depends_on=B1)
    apps.revision("crm", B1, depends_on=A1)
    with pytest.raises(RevisionCycle, match=A1):
        sqlite_bench.track().graph()


def test_label_used_twice(sqlite_bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1, labels=("same",))
    apps.revision("crm", B1, labels=("same",))
    with pytest.raises(RevisionFileBroken, match="same"):
        sqlite_bench.track().graph()


def test_several_heads(sqlite_bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1)
    apps.revision("wms", A2, down=A1)
    apps.revision("wms", "aaaaaaaaaaa3", down=A1)
    with pytest.raises(MultipleHeads, match="wms"):
        sqlite_bench.track().graph().require_single_heads()


def test_flat_folder_may_hold_other_modules(sqlite_bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1, folder="migrations")
    apps.file("wms", "migrations/__init__.py", "raise RuntimeError('hooks are not revisions')")
    apps.file("wms", "migrations/helpers.py", "import no_such_module_anywhere")
    assert sqlite_bench.track().graph().order == (A1,)


def test_an_app_without_revisions_is_passed_over(sqlite_bench: Bench, apps: Apps) -> None:
    apps.file("crm", "models.py", "")
    apps.revision("wms", A1)
    assert sqlite_bench.track().graph().apps() == ("wms",)


def test_a_folder_that_vanishes(sqlite_bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1)
    track = sqlite_bench.track()
    track.upgrade(A1)
    shutil.rmtree(apps.root / "wms" / "migrations")
    assert track.graph().order == ()
    assert track.current() == {A1}


def test_leftovers_are_no_revisions(sqlite_bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1)
    for name in ("__init__.py", ".#lock.py", "notes.txt", ".hidden.py", "__pycache__/x.py"):
        apps.file("wms", f"migrations/versions/{name}", "this is no python")
    assert sqlite_bench.track().graph().order == (A1,)


def test_graph_tells_app_message_and_path(sqlite_bench: Bench, apps: Apps) -> None:
    file = apps.revision("wms", A1, labels=("wms",))
    revision = sqlite_bench.track().graph().by_id[A1]
    assert (revision.app, revision.message, revision.path) == ("wms", A1, str(file.resolve()))
    assert revision.branch_labels == ("wms",)


@pytest.mark.parametrize(
    ("before", "body", "kind"),
    [
        ("async ", "op.execute('SELECT 1')", "async"),
        ("", "yield 1", "a generator"),
        ("async ", "yield", "an async gen"),
    ],
)
def test_a_function_that_would_not_run_is_not_recorded_as_run(
    bench: Bench, apps: Apps, before: str, body: str, kind: str
) -> None:
    """Found at night by the hostile revision files: to call it did nothing, and the revision was applied."""
    file = apps.revision("wms", A1, body)
    plain = file.read_text()
    file.write_text(plain.replace("def upgrade", f"{before}def upgrade"))
    with pytest.raises(RevisionFileBroken, match=f"upgrade.. of revision {A1} .* is {kind}"):
        bench.track().upgrade(A1)
    assert bench.track().current() == frozenset()
    apps.revision("wms", A1, "pass", body)
    file.write_text(file.read_text().replace("def downgrade", f"{before}def downgrade"))
    track = bench.track()
    track.upgrade(A1)
    with pytest.raises(RevisionFileBroken, match=f"downgrade.. of revision {A1} .* is {kind}"):
        track.downgrade(A1)
    assert bench.track().current() == {A1}
