"""Which applications, and how each tells its MetaData and makes its database by its own history."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Application:
    """One application.

    Attributes:
        name: of the package.
        version: that is installed.
        metadata: an expression that gives the MetaData; ``module:attribute`` is imported.
        history: the folder of its revisions, below its package; empty where it has none that begins with an empty
            database.
        small: it is part of ``make test``.
        dialects: where its own models and history work.
        prepared: Python that runs before its models are imported.
    """

    name: str
    version: str
    metadata: str
    history: str = ""
    small: bool = False
    dialects: tuple[str, ...] = ("sqlite", "postgresql")
    prepared: str = ""

    @property
    def package(self) -> str:
        """The package that its history is below."""
        return self.metadata.split(".")[0].split(":")[0]


APPLICATIONS = (
    Application(
        "optuna", "5.0.0", "optuna.storages._rdb.models:BaseModel.metadata", "storages/_rdb/alembic", small=True
    ),
    # The histories of these begin with a database of an early release, which is no longer to be had.
    Application("jupyterhub", "6.1.1", "jupyterhub.orm:Base.metadata", small=True),
    Application("buildbot", "4.3.0", "buildbot.db.model:Model.metadata"),
    Application(
        "keystone",
        "30.0.0",
        "keystone.common.sql.core:ModelBase.metadata",
        "common/sql/migrations",
        prepared=(
            "import importlib, keystone.conf\n"
            "keystone.conf.configure()\n"
            "for one in ('application_credential assignment assignment.role catalog credential endpoint_policy '\n"
            "            'federation identity identity.mapping limit oauth1 policy resource resource.config revoke '\n"
            "            'trust').split():\n"
            "    place = one + ('_backends' if '.' in one else '.backends')\n"
            "    importlib.import_module(f'keystone.{place}.sql')\n"
        ),
    ),
    Application(
        "apache-airflow-core",
        "3.3.2",
        "airflow.models.base:Base.metadata",
        prepared=(
            "import os, tempfile\n"
            "os.environ['AIRFLOW_HOME'] = tempfile.mkdtemp()\n"
            "import airflow.models\n"
            "airflow.models.import_all_models()\n"
        ),
    ),
    Application("cinder", "29.0.0", "cinder.db.models:BASE.metadata"),
    Application("dagster", "1.13.28", "dagster._core.storage.event_log.schema:SqlEventLogStorageMetadata"),
)
