"""A process that owns one MariaDB server for as long as a test session lives.

    python -m tests._mariadb_keeper FOLDER OWNER_PID [--lower-case-table-names=1]

As _postgres_keeper.py does: FOLDER/server.json appears when clients may connect, FOLDER/failure.txt when that will
never be; the server ends, and its data with it, when the keeper is told to or the owner is gone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from scripts.mariadb_setup import Installation, ensure
from tests._postgres_keeper import free_port, main

START_SECONDS = 300
# Speed only, and no more memory and disk than the tests need.
SETTINGS = (
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=64M",
    "--sync-frm=0",
    "--skip-log-bin",
    "--skip-name-resolve",
    "--skip-slave-start",
    "--character-set-server=utf8mb4",
    "--max-connections=200",
)


class Keeper:
    def __init__(self, folder: Path, owner: psutil.Process, options: tuple[str, ...]) -> None:
        self.folder = folder
        self.owner = owner
        self.options = options
        self.home = Path(tempfile.mkdtemp(prefix="fmm-maria-"))
        self.data = self.home / "data"
        self.password = secrets.token_urlsafe(18)
        self.server: subprocess.Popen[bytes] | None = None

    def start(self) -> dict[str, object]:
        installed = ensure()
        self.data.mkdir()
        self._bootstrap(installed)
        for _ in range(3):
            port = free_port()
            if self._serve(installed, port):
                return {"host": "127.0.0.1", "port": port, "user": "root", "password": self.password}
        raise RuntimeError("the server did not start")

    def _command(self, installed: Installation, *arguments: str) -> list[str]:
        account = ["--user=root"] if os.geteuid() == 0 else []
        places = {
            "basedir": installed.share.parent.parent,
            "lc-messages-dir": installed.share,
            "character-sets-dir": installed.share / "charsets",
            "datadir": self.data,
            "tmpdir": self.home,
        }
        options = [f"--{name}={path}" for name, path in places.items()]
        return [str(installed.program), "--no-defaults", *account, *options, *SETTINGS, *self.options, *arguments]

    def _environment(self, installed: Installation) -> dict[str, str]:
        libraries = {} if installed.libraries is None else {"LD_LIBRARY_PATH": str(installed.libraries)}
        return {"HOME": str(self.home), "PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **libraries}

    def _bootstrap(self, installed: Installation) -> None:
        """The system tables, and the one account that the tests come as."""
        scripts = [
            self._script(installed, name) for name in ("system_tables", "performance_tables", "system_tables_data")
        ]
        before = "create database mysql;\nuse mysql;\nSET @auth_root_socket=NULL;\n"
        after = (
            "FLUSH PRIVILEGES;\nDELETE FROM mysql.global_priv WHERE user = 'root';\nFLUSH PRIVILEGES;\n"
            f"CREATE USER root@'127.0.0.1' IDENTIFIED BY '{self.password}';\n"
            "GRANT ALL PRIVILEGES ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        text = before + "\n".join(scripts) + "\n" + after
        with (self.folder / "log").open("ab") as output:
            done = subprocess.run(
                self._command(installed, "--bootstrap"),
                input=text.encode(),
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment(installed),
                timeout=START_SECONDS,
                check=False,
            )
        if done.returncode != 0:
            raise RuntimeError("the system tables could not be made")

    @staticmethod
    def _script(installed: Installation, name: str) -> str:
        return next(installed.share.glob(f"m*_{name}.sql")).read_text(encoding="utf-8")

    def _serve(self, installed: Installation, port: int) -> bool:
        places = (
            "--bind-address=127.0.0.1",
            f"--port={port}",
            f"--socket={self.home / 's'}",
            f"--pid-file={self.home / 'pid'}",
        )
        with (self.folder / "log").open("ab") as output:
            self.server = subprocess.Popen(
                self._command(installed, *places),
                cwd=self.home,
                env=self._environment(installed),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while self.server.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as probe:
                if probe.recv(5):
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
        # Nothing of it is kept: there is no need to let it write its pages.
        self.server.kill()
        self.server.wait(START_SECONDS)


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    main(FOLDER, lambda: Keeper(FOLDER, psutil.Process(int(sys.argv[2])), tuple(sys.argv[3:])))
