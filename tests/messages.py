"""Every metric, as the code has it.

``python -m tests.messages`` writes the table in docs/logging-and-metrics.md.
"""

from __future__ import annotations

import re
from pathlib import Path

from airflow_provider_dli.metrics import ACTIONS, KINDS, METRICS

DOCS = Path(__file__).parents[1] / "docs"
METRICS_PAGE = DOCS / "logging-and-metrics.md"
_METRICS_TABLE = re.compile(r"(?<=<!-- metrics: begin -->\n).*(?=<!-- metrics: end -->)", re.DOTALL)


def with_metrics(text: str) -> str:
    """Return the page on metrics with its table."""
    return _METRICS_TABLE.sub(lambda _: f"{metrics()}\n", text)


def metrics() -> str:
    """Return the table of metrics."""
    rows = [f"| `{name}` | {kind} | {meaning} |" for name, (kind, meaning) in METRICS.items()]
    kinds = [f"| `{kind}` | {meaning} |" for kind, meaning in KINDS.values()]
    actions = ", ".join(f"`{each}`" for each in ACTIONS)
    parts = (
        "| metric | type | counts |\n|---|---|---|",
        *rows,
        "",
        f"`{{action}}` is one of {actions}.",
        "",
        "| `{kind}` | |\n|---|---|",
        *kinds,
    )
    return "\n".join(parts)


if __name__ == "__main__":
    METRICS_PAGE.write_text(with_metrics(METRICS_PAGE.read_text(encoding="utf-8")), encoding="utf-8")
