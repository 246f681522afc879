"""The settings of a project that has none: found, asked for, and written into its file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from framework_m_migrations.adapters.filesystem.declarations import Declarations, find_declarations
from framework_m_migrations.cli.confirm import ask_text
from framework_m_migrations.cli.errors import UsageError
from framework_m_migrations.cli.output import Output
from framework_m_migrations.container.desired import declared_metadata
from framework_m_migrations.container.project_file import FILE, TABLE, read_project_file, split_names
from framework_m_migrations.container.settings import MigrationSettings

_PLAIN_FILE = re.compile(r"sqlite(\+\w+)?:///[^?@]+")
"""A URL that can be written into a file: it holds no password."""


@dataclass(frozen=True, slots=True)
class ProjectSetup:
    """What was written.

    Attributes:
        file: the file, None where the project has its settings already.
        remarks: what was found and what to do next, a sentence each.
    """

    file: str | None
    remarks: tuple[str, ...]


def set_up(settings: MigrationSettings, output: Output) -> ProjectSetup:
    """Write ``[tool.framework-m-migrations]`` of pyproject.toml where there is one, else m-migrate.toml.

    Args:
        settings: what options and environment variables said.
        output: where to ask for what they did not say, if there is a terminal.

    Raises:
        UsageError: there are no models to be found, or the file cannot be written.
        MigrationError: the models cannot be imported, or have no table.
    """
    project = settings.path
    if read_project_file(project).origins:
        return ProjectSetup(None, ())
    found = Declarations((), ()) if settings.metadata or settings.apps else find_declarations(project)
    metadata = tuple(one for one in settings.named_metadata if isinstance(one, str)) or found.metadata
    apps = settings.apps or split_names(settings.installed_apps)
    # Without an app there is no folder in which `create` could write.
    apps = apps or tuple(dict.fromkeys(re.split("[.:]", name)[0] for name in metadata))
    remarks = [f"Found models of {', '.join(found.frameworks)}."] if found.frameworks else []
    if output.interactive:
        answer = ask_text(output, "Models, as package.module:attribute, comma separated", ", ".join(metadata))
        metadata = split_names(answer)
        apps = split_names(
            ask_text(output, "Packages or modules that revisions belong to, comma separated", ", ".join(apps))
        )
    if not metadata and not apps:
        raise UsageError(
            "No models were found in the project.",
            next_step="Name them: m-migrate init --metadata package.module:attribute.",
        )
    if metadata:
        tables = sum(len(one.tables) for _, one in declared_metadata(replace(settings, metadata=metadata), ()))
        remarks.append(f"The models have {tables} table{'' if tables == 1 else 's'}.")
    values = {"metadata": list(metadata), "apps": list(apps)}
    url = settings.database_url
    if _PLAIN_FILE.fullmatch(url):
        values["database-url"] = [url]
    elif url:
        remarks.append("The URL of a server is not written into a file: set DATABASE_URL.")
    return ProjectSetup(_write(project, values), tuple(remarks))


def _write(project: Path, values: Mapping[str, list[str]]) -> str:
    lines = []
    for key, found in values.items():
        if found:
            texts = [json.dumps(text, ensure_ascii=False) for text in found]
            lines.append(f"{key} = {texts[0] if key == 'database-url' else f'[{", ".join(texts)}]'}\n")
    shared = project / "pyproject.toml"
    try:
        if shared.is_file():
            before = shared.read_text(encoding="utf-8").rstrip("\n")
            shared.write_text(f"{before}\n\n[tool.{TABLE}]\n{''.join(lines)}", encoding="utf-8")
            return shared.name
        (project / FILE).write_text("".join(lines), encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The settings cannot be written: {error}.") from error
    return FILE
