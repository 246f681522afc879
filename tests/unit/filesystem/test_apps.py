"""Apps are found by name, INSTALLED_APPS or entry point, without being imported."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from framework_m_migrations.adapters.filesystem import FilesystemDiscovery, FilesystemHooks
from framework_m_migrations.adapters.filesystem.apps import locate
from framework_m_migrations.domain.effects import HookPhase
from framework_m_migrations.domain.errors import AppBroken, AppNotFound, ConfigurationError, VersionFolderMissing

REVISION = 'revision = "aaaaaaaaaaa1"\ndown_revision = None\n\n\ndef upgrade():\n    pass\n'
NAMES = ("fsa_shop", "fsa_wms", "fsa_broken", "fsa_suite", "fsa_single", "fsa_zip")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [module for module in sys.modules if module.partition(".")[0] in NAMES]:
        del sys.modules[name]


def package(root: Path, name: str, init: str = "raise RuntimeError('imported')") -> Path:
    folder = root.joinpath(*name.split("."))
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(init)
    return folder


def put(file: Path, text: str = REVISION) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def entries(**named: str) -> list[EntryPoint]:
    return [EntryPoint(name.replace("__", "-"), value, "framework_m.apps") for name, value in named.items()]


def find(*names: str, installed_apps: str | None = None, known: list[EntryPoint] | None = None) -> FilesystemDiscovery:
    return FilesystemDiscovery(names, installed_apps, installed=lambda: known or [])


def test_by_package_name_without_importing(root: Path) -> None:
    folder = package(root, "fsa_shop")
    put(folder / "migrations/versions/a_x.py")
    (app,) = find("fsa_shop").apps()
    assert (app.name, app.package) == ("fsa_shop", "fsa_shop")
    assert app.version_folder == (folder / "migrations/versions").resolve()
    assert "fsa_shop" not in sys.modules


def test_entry_point_whose_name_is_not_its_module(root: Path) -> None:
    package(root, "fsa_wms")
    known = entries(warehouse="fsa_wms.plugin:app")
    for name in ("warehouse", "fsa_wms"):
        (app,) = find(name, known=known).apps()
        assert (app.name, app.package) == ("warehouse", "fsa_wms"), "one name, however it is asked for"
    assert find("warehouse", "fsa_wms", known=known).apps() == find("warehouse", known=known).apps()


def test_entry_points_by_name_when_nothing_is_named(root: Path) -> None:
    package(root, "fsa_wms")
    package(root, "fsa_shop")
    known = entries(zeta="fsa_shop:app", alpha="fsa_wms:app")
    assert [app.name for app in find(known=known).apps()] == ["alpha", "zeta"]


@pytest.mark.parametrize("value", ["fsa_wms, fsa_shop", "fsa_wms fsa_shop", " fsa_wms,\n fsa_shop ,"])
def test_installed_apps(root: Path, value: str) -> None:
    package(root, "fsa_wms")
    package(root, "fsa_shop")
    assert [app.name for app in find(installed_apps=value).apps()] == ["fsa_wms", "fsa_shop"]
    assert [app.name for app in find("fsa_shop", installed_apps=value).apps()] == ["fsa_shop"]


def test_empty_installed_apps_means_entry_points(root: Path) -> None:
    package(root, "fsa_wms")
    assert [app.name for app in find(installed_apps=" , ", known=entries(w="fsa_wms:app")).apps()] == ["w"]


@pytest.mark.parametrize("name", ["nowhere_at_all", "../shop", "/etc", "a b", "", "fsa_shop/..", ".", "shop:app"])
def test_unknown_names(root: Path, name: str) -> None:
    package(root, "fsa_shop")
    with pytest.raises(AppNotFound, match="crm") as caught:
        find("fsa_shop", f"{name}" or " ", known=entries(crm="fsa_shop:app")).apps()
    assert caught.value.details["known"] == ["crm"]


def test_entry_point_of_a_missing_module(root: Path) -> None:
    with pytest.raises(AppNotFound, match="fsa_gone"):
        find(known=entries(crm="fsa_gone:app")).apps()


def test_two_entry_points_of_one_name(root: Path) -> None:
    package(root, "fsa_shop")
    package(root, "fsa_wms")
    known = [*entries(crm="fsa_shop:app"), *entries(crm="fsa_wms:app")]
    with pytest.raises(AppBroken, match="fsa_wms"):
        find(known=known).apps()


def test_namespace_packages(root: Path) -> None:
    folder = package(root, "fsa_suite.shop")
    put(folder / "migrations/versions/a.py")
    (app,) = find(known=entries(shop="fsa_suite.shop.plugin:app")).apps()
    assert app.package == "fsa_suite.shop"
    assert app.version_folder is not None
    with pytest.raises(AppBroken, match="namespace"):
        find("fsa_suite").apps()


def test_zip_archives(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = root / "apps.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("fsa_zip/__init__.py", "")
    monkeypatch.syspath_prepend(str(archive))
    with pytest.raises(AppBroken, match="unpacked"):
        find("fsa_zip").apps()


def test_single_module_has_no_folder(root: Path) -> None:
    put(root / "fsa_single.py", "")
    (app,) = find("fsa_single").apps()
    assert (app.version_folder, app.new_version_folder) == (None, None)


def test_three_layouts_in_their_order(root: Path) -> None:
    folder = package(root, "fsa_shop")

    def found() -> Path | None:
        (app,) = find("fsa_shop").apps()
        return None if app.version_folder is None else Path(app.version_folder).relative_to(folder.resolve())

    assert found() is None
    put(folder / "alembic/versions/a.py")
    assert found() == Path("alembic/versions")
    put(folder / "migrations/__init__.py", "def before_sync(): pass")
    assert found() == Path("alembic/versions"), "hooks are no revision"
    put(folder / "migrations/helpers.py", "# revision = no\n")
    assert found() == Path("alembic/versions"), "nor is a module without a revision id"
    put(folder / "migrations/a.py")
    assert found() == Path("migrations")
    put(folder / "migrations/versions/a.py")
    assert found() == Path("migrations/versions")


def test_where_the_first_revision_goes(root: Path) -> None:
    folder = package(root, "fsa_shop")
    (app,) = find("fsa_shop").apps()
    assert app.new_version_folder == folder.resolve() / "migrations/versions"


@pytest.mark.parametrize("link", ["migrations", "migrations/versions", "alembic/versions", "alembic", "store"])
@pytest.mark.parametrize("target", ["elsewhere", "nowhere", "itself"])
def test_links_out_of_the_package_and_to_nothing_are_refused(root: Path, link: str, target: str) -> None:
    folder = package(root, "fsa_shop")
    for name in ("a.py", "versions/a.py", "migrations/versions/a.py", "__init__.py"):
        put(root / "elsewhere" / name)
    place = folder / link
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(place if target == "itself" else root / target)
    with pytest.raises(AppBroken, match=link):
        find("fsa_shop.store" if link == "store" else "fsa_shop").apps()


@pytest.mark.parametrize("target", ["elsewhere.py", "nowhere.py", "a.py"])
def test_linked_revision_files_out_of_the_package_and_to_nothing_are_refused(root: Path, target: str) -> None:
    folder = package(root, "fsa_shop") / "migrations/versions"
    put(root / "elsewhere.py")
    folder.mkdir(parents=True)
    (folder / "a.py").symlink_to(folder / target if target == "a.py" else root / target)
    with pytest.raises(AppBroken, match=r"a\.py"):
        find("fsa_shop").apps()


def test_a_configured_folder_is_never_outside_the_package(root: Path) -> None:
    folder = package(root, "fsa_shop")
    put(root / "elsewhere" / "a.py")
    (folder / "migrations").mkdir()
    (folder / "migrations/versions").symlink_to(root / "elsewhere")
    for configured in ("../elsewhere", "/etc", "migrations/versions"):
        with pytest.raises(ConfigurationError, match="leads out"):
            FilesystemDiscovery(["fsa_shop"], version_folders={"fsa_shop": configured}, installed=list).apps()


def test_configured_folder(root: Path) -> None:
    folder = package(root, "fsa_shop")
    discovery = FilesystemDiscovery(["fsa_shop"], version_folders={"fsa_shop": "db/history"}, installed=list)
    with pytest.raises(VersionFolderMissing, match="db/history"):
        discovery.apps()
    (folder / "db/history").mkdir(parents=True)
    assert discovery.apps()[0].version_folder == (folder / "db/history").resolve()


def test_package_behind_a_symbolic_link(root: Path) -> None:
    real = package(root, "store.fsa_real")
    put(real / "migrations/versions/a.py")
    (root / "fsa_shop").symlink_to(real)
    (app,) = find("fsa_shop").apps()
    assert app.version_folder == real.resolve() / "migrations/versions"


def test_hooks_plain_and_async_in_order_of_apps(root: Path) -> None:
    for name in ("fsa_shop", "fsa_wms"):
        folder = package(root, name, "")
        put(folder / "migrations/__init__.py", "async def after_sync(): pass\ndef before_sync(plan): pass\n")
    hooks = FilesystemHooks(find("fsa_wms", "fsa_shop")).hooks()
    assert [(hook.app, hook.phase) for hook in hooks] == [
        ("fsa_wms", HookPhase.BEFORE_SYNC),
        ("fsa_wms", HookPhase.AFTER_SYNC),
        ("fsa_shop", HookPhase.BEFORE_SYNC),
        ("fsa_shop", HookPhase.AFTER_SYNC),
    ]


def test_no_hook_module_imports_nothing(root: Path) -> None:
    folder = package(root, "fsa_shop")
    (folder / "migrations").mkdir()
    assert FilesystemHooks(find("fsa_shop")).hooks() == ()
    assert "fsa_shop" not in sys.modules


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import no_such_module_anywhere", "no_such_module_anywhere"),
        ("def before_sync(:\n", "SyntaxError"),
        ("x = 1\nraise ValueError('boom')", "line 2"),
        ("before_sync = 3", "no function"),
    ],
)
def test_broken_hook_modules_are_named(root: Path, text: str, told: str) -> None:
    folder = package(root, "fsa_broken", "")
    put(folder / "migrations/__init__.py", text)
    with pytest.raises(AppBroken, match=told) as caught:
        FilesystemHooks(find("fsa_broken")).hooks()
    assert caught.value.details["app"] == "fsa_broken"


def test_an_app_that_fails_to_import_breaks_its_hooks(root: Path) -> None:
    folder = package(root, "fsa_broken", "import no_such_module_anywhere")
    put(folder / "migrations/__init__.py", "")
    with pytest.raises(AppBroken, match="no_such_module_anywhere"):
        FilesystemHooks(find("fsa_broken")).hooks()


def test_locate_finds_what_python_finds() -> None:
    found = locate("framework_m_migrations.domain.plan")
    assert found is not None
    assert found.package == "framework_m_migrations"
    assert locate("no_such_package_anywhere.x") is None
