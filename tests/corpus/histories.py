"""Which points of the corpus make a history, oldest first, each step all apps that a site of that time had."""

from __future__ import annotations

type History = tuple[tuple[str, ...], ...]

_MAJORS = tuple(f"v{number:02}" for number in range(4, 11))

HISTORIES: dict[str, History] = {
    "frappe": tuple((f"frappe/{point}",) for point in _MAJORS),
    # Address, Contact and others moved from erpnext to frappe and kept their tables.
    "erpnext": tuple((f"frappe/{point}", f"erpnext/{point}") for point in _MAJORS),
    # Loans left erpnext for an app of their own; the new app's definition comes first and so has the last word.
    "lending": (
        ("frappe/v10", "erpnext/v10"),
        *((f"lending/{point}", "frappe/v10", "erpnext/v10") for point in ("2020-07", "2022-07", "2023-07", "2024-06")),
    ),
    "lms": tuple(
        (f"lms/{point}", "frappe/v10") for point in ("2021-07", "2022-07", "2023-07", "2024-07", "2025-07", "2026-07")
    ),
    "crm": tuple((f"crm/{point}", "frappe/v10") for point in ("2024-01", "2024-07", "2025-07", "2026-07")),
}
