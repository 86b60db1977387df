"""The environment of processes that tests start."""

from __future__ import annotations

import os


def untraced() -> dict[str, str]:
    """Return this process's environment, but for what has coverage measured.

    Airflow takes half as long again with it, and what of ours runs there runs in the tests themselves too.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
