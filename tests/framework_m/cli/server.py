"""Runs ``m`` commands in processes of their own that need not import the host again: it is imported once, then forked.

Two first arguments are no commands: ``boot`` boots the host as a worker does, ``serve PORT`` runs its web server.

Run as a program: says ``ready`` when it has imported everything, then reads one job a line from stdin (JSON: folder,
argv, cwd, env, path), starts it, and goes on reading.
A job's folder gets ``out``, ``err``, ``pid`` and, when it has ended, ``rc``.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.metadata
import json
import logging
import os
import pkgutil
import signal
import sys
import traceback
from pathlib import Path
from typing import Any


def main() -> None:
    from framework_m_core.cli.main import app

    _preload()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        job = json.loads(line)
        if job["argv"][0] == "serve":
            importlib.import_module("framework_m_standard.adapters.web.app")
        if os.fork() == 0:
            _supervise(app, job)


def _preload() -> None:
    """Modules that every command imports sooner or later; none of them keeps anything of a project."""
    from framework_m_core import doctypes

    for found in pkgutil.walk_packages(doctypes.__path__, "framework_m_core.doctypes."):
        importlib.import_module(found.name)
    for name in ("wiring", "manager", "boot", "doctor", "hydrate"):
        importlib.import_module(f"framework_m_migrations.embedding.framework_m.{name}")
    for name in (
        "framework_m_migrations.adapters.sql.async_engines",
        "framework_m_migrations.adapters.sql.desired.declared",
        "framework_m_migrations.adapters.sql.file_lock",
        "framework_m_migrations.adapters.doctypes.framework_m",
        "framework_m_migrations.adapters.sql.async_runner",
        "framework_m_migrations.adapters.sql.dialects.postgresql",
        "framework_m_migrations.adapters.sql.dialects.sqlite",
        "framework_m_migrations.adapters.sql.dialects.sqlite.dump",
        "framework_m_migrations.adapters.sql.revisions.track",
        "framework_m_migrations.container.factories",
        "framework_m_migrations.cli.progress",
        "framework_m_migrations.cli.reports.declarative",
        "framework_m_migrations.cli.reports.versioned",
        "framework_m_migrations.cli.reports.state",
        "framework_m_standard.adapters.db.job_queue_repository",
        "framework_m_standard.adapters.db.schema_mapper",
    ):
        importlib.import_module(name)
    importlib.metadata.entry_points()  # folders of packages are remembered
    gc.freeze()  # or each child copies what its collector looks at


def _serve(port: int) -> None:
    """What `m prod` and `m start` do, once they have found that the project has no application of its own."""
    import uvicorn

    target = "framework_m_standard.adapters.web.app:create_app"
    uvicorn.run(target, factory=True, host="127.0.0.1", port=port, log_level="warning")


async def _boot() -> None:
    """What a worker does: hydrate, then await the startup hooks that concern the schema."""
    from framework_m_core.container import Container, hydrate_apps
    from framework_m_standard.adapters.db.table_registry import TableRegistry

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    container = Container()
    hydrate_apps(container)
    found = []
    for hook in container.startup_hooks():
        if hook.__module__.startswith(("framework_m_migrations", "framework_m_standard.bootstrap.sync_schema")):
            result = await hook(container)
            found.append({"hook": hook.__module__, "applied": result and len(result.plan.plan.applied)})
    await container.config.engine().dispose()
    sys.stdout.write(json.dumps({"hooks": found, "tables": TableRegistry().list_tables()}))


def _supervise(app: Any, job: dict[str, Any]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    folder = Path(job["folder"])
    worker = os.fork()
    if worker == 0:
        os.setpgid(0, 0)
        _work(app, job, folder)
    (folder / "pid").write_text(str(worker))
    _, status = os.waitpid(worker, 0)
    part = folder / "rc.part"
    part.write_text(str(os.waitstatus_to_exitcode(status)))
    part.rename(folder / "rc")
    os._exit(0)


def _work(app: Any, job: dict[str, Any], folder: Path) -> None:
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    sys.path[:0] = job["path"]
    sys.argv = ["m", *job["argv"]]
    importlib.invalidate_caches()
    code = 0
    try:
        if job["argv"] == ["boot"]:
            asyncio.run(_boot())
        elif job["argv"][0] == "serve":
            _serve(int(job["argv"][1]))
        else:
            app(job["argv"])
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter itself would end
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
