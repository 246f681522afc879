"""App names and folders that lead elsewhere: revisions and hooks come from the folders of installed apps only."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework_m_migrations.adapters.filesystem import FilesystemDiscovery
from framework_m_migrations.domain.errors import MigrationError
from tests.hostile.outcome import outcome, sqlite_prey
from tests.hostile.texts import hostile
from tests.support.profile import cases

METADATA = sa.MetaData()
sa.Table("customer", METADATA, sa.Column("id", sa.Integer, primary_key=True))
EVIL = "import pathlib\npathlib.Path({marker!r}).touch()\n"
REVISION = (
    EVIL + 'revision = "ee01"\ndown_revision = None\nbranch_labels = None\ndepends_on = None\n'
    "def upgrade():\n    pass\ndef downgrade():\n    pass\n"
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A project, and beside it, outside, a folder with code that leaves a marker when it is run."""
    outside = tmp_path / "outside" / "migrations" / "versions"
    outside.mkdir(parents=True)
    marker = str(tmp_path / "marker")
    (tmp_path / "outside" / "__init__.py").write_text(EVIL.format(marker=marker), encoding="utf-8")
    (outside.parent / "__init__.py").write_text(EVIL.format(marker=marker), encoding="utf-8")
    (outside / "ee01.py").write_text(REVISION.format(marker=marker), encoding="utf-8")
    project = tmp_path / "project"
    (project / "inside_app" / "migrations").mkdir(parents=True)
    (project / "inside_app" / "__init__.py").touch()
    before = list(sys.path)
    yield project
    sys.path[:] = before
    for name in [name for name in sys.modules if name.startswith("inside_app")]:
        del sys.modules[name]


escapes = st.sampled_from((
    "../outside", "..", ".", "/", "..outside", "inside_app/../../outside", "inside_app..outside", ".outside",
    "inside_app.", "outside:migrations", "file:///outside", "~", "C:\\outside", "\\\\host\\share", "inside_app\x00",
    "os", "sys", "__main__", "builtins", "json", "xml.etree", "encodings.idna", "this", "antigravity", "inside_app",
    "inside_app.migrations", "a" * 5000, "a." * 500 + "b", "__import__('os')", "%2e%2e%2foutside",
))  # fmt: skip
app_names = st.one_of(escapes, hostile, st.builds("{}/{}".format, escapes, hostile))


@settings(
    max_examples=cases(30, 1500), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(names=st.lists(app_names, min_size=1, max_size=2), installed=st.booleans())
def test_app_names_that_lead_elsewhere(site: Path, names: list[str], installed: bool) -> None:
    marker = site.parent / "marker"
    with sqlite_prey() as prey:
        chosen = {"installed_apps": ", ".join(names)} if installed else {"apps": tuple(names)}
        for call in ("status", "run", "sync"):
            outcome(getattr(prey.manager(METADATA, path=site, **chosen), call))
            prey.check()
        manager = prey.manager(METADATA, path=site, **chosen)
        outcome(lambda: manager.create("x", app=names[0], autogenerate=False))
    assert not marker.exists(), "code from outside was run"
    assert sorted(path.name for path in site.parent.iterdir()) == ["outside", "project"], "nothing is written outside"
    shutil.rmtree(site / "inside_app" / "migrations" / "versions", ignore_errors=True)


@pytest.mark.parametrize("app", ["json", "json.decoder", "xml.etree", "os", "sys"])
def test_python_itself_is_no_app(site: Path, app: str) -> None:
    """Its folders are writable on many machines: a revision would land in the standard library."""
    with sqlite_prey() as prey:
        found = outcome(lambda: prey.manager(METADATA, path=site).create("x", app=app, autogenerate=False))
    assert isinstance(found, MigrationError)
    assert not (Path(json.__file__).parent / "migrations").exists()


@settings(
    max_examples=cases(20, 500), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(st.one_of(st.sampled_from(("../../outside/migrations/versions", "/", "..", "", ".", "a/../../..")), hostile))
def test_configured_version_folders_stay_inside(site: Path, folder: str) -> None:
    sys.path.insert(0, str(site))
    try:
        found = outcome(lambda: FilesystemDiscovery(["inside_app"], version_folders={"inside_app": folder}).apps())
    finally:
        sys.path.remove(str(site))
    if not isinstance(found, MigrationError):
        for place in (found[0].version_folder, found[0].new_version_folder):
            assert place is None or Path(place).resolve().is_relative_to((site / "inside_app").resolve())


@pytest.mark.parametrize("layout", ["migrations", "migrations/versions", "alembic/versions"])
def test_a_link_out_of_the_package_is_not_followed(site: Path, layout: str) -> None:
    shutil.rmtree(site / "inside_app" / "migrations")
    target = site.parent / "outside" / "migrations"
    link = site / "inside_app" / layout
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target if layout == "migrations" else target / "versions", target_is_directory=True)
    with sqlite_prey() as prey:
        for call in ("status", "run", "sync", "verify"):
            outcome(getattr(prey.manager(METADATA, path=site, apps=("inside_app",)), call))
    assert not (site.parent / "marker").exists(), "code from outside was run"


def test_a_revision_file_that_is_a_link_out_of_the_package_is_not_run(site: Path) -> None:
    versions = site / "inside_app" / "migrations" / "versions"
    versions.mkdir()
    (versions / "ee01.py").symlink_to(site.parent / "outside" / "migrations" / "versions" / "ee01.py")
    with sqlite_prey() as prey:
        for call in ("status", "run"):
            outcome(getattr(prey.manager(METADATA, path=site, apps=("inside_app",)), call))
    assert not (site.parent / "marker").exists(), "code from outside was run"
