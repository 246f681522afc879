"""A real PgBouncer in transaction mode in front of the tests' server.

The program is the one that FMM_PGBOUNCER names, or the machine's own, or that of Debian's package, in .pgbouncer/.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from scripts import debian
from scripts.waiting import LIMIT, PROGRAM_LIMIT, wait_until
from tests._postgres import PostgresDatabase

CHOSEN = "FMM_PGBOUNCER"
CACHE = Path(__file__).resolve().parent.parent.parent / ".pgbouncer"
OTHERWISE = f"Name a PgBouncer in {CHOSEN}, or leave these tests out: pytest -m 'not pgbouncer'."
_CONFIG = """
[databases]
{name} = host={host} port={port} dbname={name} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 8
server_round_robin = {turns}
ignore_startup_parameters = extra_float_digits
{names}
"""
ACCEPTED = debian.Accepted("PgBouncer", (1, 18), (2,))
_NAMES_SINCE = (1, 21)
"""Since then PgBouncer may give each client's prepared statements names of their own; it is told not to, as before."""


def _program(folder: Path) -> tuple[Path, Path | None]:
    """The program and the folder of its libraries. It refuses to run as root, so that others must be able to read it.

    Raises:
        SetupFailed: there is none, and it cannot be fetched.
    """
    named = os.environ.get(CHOSEN)
    found = named or shutil.which("pgbouncer", path=f"{os.defpath}:/usr/sbin")
    if found:
        if not named:
            ACCEPTED.check(debian.version_of(Path(found)), OTHERWISE)
        return Path(found), None
    root = debian.unpacked("pgbouncer", CACHE, OTHERWISE, ACCEPTED)
    program = Path(shutil.copy2(root / "usr" / "sbin" / "pgbouncer", folder))
    libraries = debian.libraries(root)
    if libraries is None:
        return program, None
    return program, Path(shutil.copytree(libraries, folder / "libraries"))


@contextmanager
def pooled(database: PostgresDatabase, driver: str = "psycopg", *, turns: bool = False) -> Iterator[str]:
    """The URL of the database behind a PgBouncer, which ends with the block.

    Args:
        database: of the tests' server.
        driver: SQLAlchemy's name of it.
        turns: no transaction gets the server session of the one before, as on a busy day.
    """
    server = database.server
    folder = Path(tempfile.mkdtemp(prefix="fmm-pgbouncer-"))
    folder.chmod(0o755)
    command, libraries = _program(folder)
    environment = {**os.environ, **({"LD_LIBRARY_PATH": str(libraries)} if libraries else {})}
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        own = probe.getsockname()[1]
    config = folder / "pgbouncer.ini"
    config.write_text(
        _CONFIG.format(
            name=database.name,
            host=server.host,
            port=server.port,
            user=server.user,
            password=server.password,
            own=own,
            turns=int(turns),
            names="max_prepared_statements = 0" if _version(command, environment) >= _NAMES_SINCE else "",
        ),
        encoding="utf-8",
    )
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
        os.chown(config, account.pw_uid, account.pw_gid)
    process = subprocess.Popen(
        [command, str(config)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=None if account is None else account.pw_uid,
        group=None if account is None else account.pw_gid,
        extra_groups=None if account is None else [],
    )
    try:
        wait_until(
            lambda: process.poll() is not None or _listens(own),
            what=f"PgBouncer to listen on port {own}",
        )
        assert process.poll() is None, f"PgBouncer ended by itself, with exit code {process.poll()}"
        if turns:
            _fill(f"postgresql://{server.user}@127.0.0.1:{own}/{database.name}")
        yield f"postgresql+{driver}://{server.user}@127.0.0.1:{own}/{database.name}"
    finally:
        process.terminate()
        process.wait(LIMIT)
        shutil.rmtree(folder, ignore_errors=True)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _version(command: Path, environment: dict[str, str]) -> tuple[int, ...]:
    """Of ``PgBouncer 1.18.0``."""
    told = subprocess.run(
        [command, "--version"], env=environment, capture_output=True, text=True, check=True, timeout=PROGRAM_LIMIT
    ).stdout
    return tuple(int(part) for part in told.split()[1].split(".")[:2])


def _fill(dsn: str) -> None:
    """Three transactions at once, so that the proxy has three sessions to lend."""
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(psycopg.connect(dsn, prepare_threshold=None)).execute("SELECT 1")
