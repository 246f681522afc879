"""What every inspector must do."""

from __future__ import annotations

from framework_m_migrations.testing.contracts.inspector_answers import InspectorAnswersContract
from framework_m_migrations.testing.contracts.inspector_catalog import InspectorCatalogContract
from framework_m_migrations.testing.contracts.inspector_dependents import InspectorDependentsContract


class InspectorContract(InspectorCatalogContract, InspectorAnswersContract, InspectorDependentsContract):
    """All obligations of ports.inspector.Inspector."""
