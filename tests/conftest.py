"""What every test may ask for: a real Postgres, an empty database on it, and the corpus.

The Postgres is started by the first test of the session that needs it, shared by all xdist workers, and stopped by the
process that started the session. Where it cannot be started, the tests that need it fail: they are never skipped.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests._postgres import PostgresDatabase, PostgresServer, shared_server, stop_server
from tests.support import in_memory, sync_path
from tests.support.profile import NIGHTLY, by_day, left_to_the_night

if TYPE_CHECKING:
    from tests._mariadb import MariadbDatabase, MariadbServer
    from tests.cli._program import Server

SESSION_FOLDER = pytest.StashKey[Path]()
SESSION_OWNER = pytest.StashKey[int]()
IN_MEMORY = pytest.StashKey[Path | None]()
# Two busy cores make single examples slow now and then. A red run can be had again: the same cases, every time.
settings.register_profile("suite", deadline=None, print_blob=True, derandomize=True)
# Chosen by HYPOTHESIS_PROFILE, see tests/support/profile.py; every night looks for something new.
settings.register_profile("nightly", deadline=None, print_blob=True, derandomize=False)
settings.load_profile("nightly" if NIGHTLY else "suite")

# What these folders prove takes many processes, servers or generated cases: `make test-fast` leaves them out whole.
SLOW_FOLDERS = frozenset({"crowds", "demo", "histories", "hostile", "killed", "online", "privileges", "tenants"})

CORPUS_ABSENT = "the corpus is not at {}: the tests marked corpus are deselected"

pytest.register_assert_rewrite("framework_m_migrations.testing.contracts")
sync_path.install()
# Python tells a compiled module from its source by second and size: what a test writes twice within a second would be
# run as it was first. What is installed has been compiled before (scripts/make_venv.sh).
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
sys.dont_write_bytecode = True


@pytest.fixture(autouse=True)
def _sync_path_is_additive() -> Iterator[None]:
    """Whatever a test does: nothing that destroys may leave the sync path."""
    sync_path.caught.clear()
    yield
    assert sync_path.caught == [], "destructive statements left the sync path"


def find_corpus(config: pytest.Config) -> Path:
    """Where the corpus is, or would be."""
    named = os.environ.get("FRAMEWORK_M_CORPUS")
    return Path(named) if named else config.rootpath.parent / "shared" / "corpus"


def has_corpus(config: pytest.Config) -> bool:
    return (find_corpus(config) / "index.json").is_file()


def pytest_configure(config: pytest.Config) -> None:
    given: dict[str, Any] | None = getattr(config, "workerinput", None)
    if given is None:
        config.stash[IN_MEMORY] = in_memory.use()
        config.stash[SESSION_FOLDER] = Path(tempfile.mkdtemp(prefix="fmm-session-"))
        config.stash[SESSION_OWNER] = os.getpid()
    else:
        config.stash[SESSION_FOLDER] = Path(given["session_folder"])
        config.stash[SESSION_OWNER] = given["session_owner"]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["session_folder"] = str(node.config.stash[SESSION_FOLDER])
    node.workerinput["session_owner"] = node.config.stash[SESSION_OWNER]


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and SESSION_FOLDER in config.stash:
        stop_server(config.stash[SESSION_FOLDER])
        folder = mariadb_folder(config)
        if folder.exists():
            from tests import _mariadb

            _mariadb.stop_server(folder)
        memory = config.stash.get(IN_MEMORY, None)
        if memory is not None:
            in_memory.leave(memory)


def mariadb_folder(config: pytest.Config) -> Path:
    """Where the keeper of this session's MariaDB writes, once a test has asked for one."""
    folder = config.stash[SESSION_FOLDER]
    return folder.with_name(f"{folder.name}-mariadb")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if {"postgres_server", "postgres_database", "make_postgres_database"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.postgres)
        if SLOW_FOLDERS & set(item.path.relative_to(config.rootpath).parts):
            item.add_marker(pytest.mark.slow)
    # What is named on the command line runs whole.
    left = at_night(items) if by_day(config.args) else set()
    if not has_corpus(config):
        left |= {item for item in items if item.get_closest_marker("corpus")}
    if left:
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)


def at_night(items: list[pytest.Item]) -> set[pytest.Item]:
    """The tests that `make test` leaves to `make nightly`."""
    names = left_to_the_night(item.nodeid for item in items)
    return {item for item in items if item.nodeid in names or item.get_closest_marker("night")}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not has_corpus(config):
        terminalreporter.write_line(CORPUS_ABSENT.format(find_corpus(config)))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Starts the programs of this test session."""
    from tests.cli._program import Server

    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> PostgresServer:
    """The Postgres server of this test session: host, port, user, password, socket_dir, url(database, driver)."""
    return shared_server(pytestconfig.stash[SESSION_FOLDER], pytestconfig.stash[SESSION_OWNER])


@pytest.fixture
def make_postgres_database(postgres_server: PostgresServer) -> Iterator[Callable[[], PostgresDatabase]]:
    """Makes as many empty databases as a test asks for; they are dropped after it."""
    made: list[PostgresDatabase] = []

    def make() -> PostgresDatabase:
        made.append(postgres_server.create_database())
        return made[-1]

    yield make
    for database in made:
        postgres_server.drop_database(database.name)


@pytest.fixture
def postgres_database(make_postgres_database: Callable[[], PostgresDatabase]) -> PostgresDatabase:
    """An empty database of the test's own: url (asyncpg), sync_url (psycopg), dsn (drivers themselves)."""
    return make_postgres_database()


@pytest.fixture(scope="session")
def mariadb_server(pytestconfig: pytest.Config) -> MariadbServer:
    """The MariaDB server of this test session; for tests marked mariadb."""
    from tests import _mariadb

    return _mariadb.shared_server(mariadb_folder(pytestconfig), pytestconfig.stash[SESSION_OWNER])


@pytest.fixture
def mariadb_database(mariadb_server: MariadbServer) -> Iterator[MariadbDatabase]:
    """An empty database of the test's own: url (asyncmy), sync_url (PyMySQL), execute(*statements)."""
    database = mariadb_server.create_database()
    yield database
    mariadb_server.drop_database(database.name)


@pytest.fixture(scope="session")
def corpus_root(pytestconfig: pytest.Config) -> Path:
    """The folder of the corpus. Only for tests marked corpus, which run only where it is."""
    root = find_corpus(pytestconfig)
    assert has_corpus(pytestconfig), f"a test that is not marked corpus asks for it, and it is not at {root}"
    return root
