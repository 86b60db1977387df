"""``python -m airflow_provider_dli.backups``: work with a catalogue where there is no Airflow any more.

Of Airflow only its libraries are used: no configuration is read, no database, and nothing is written to its home.
"""

from __future__ import annotations

import logging
import os
import sys

from airflow_provider_dli.backups.cli import main


def _leave_airflow_alone() -> None:
    """Let this process import Airflow as a library, before it does; what it logs goes to standard error."""
    for name in [name for name in os.environ if name.startswith("AIRFLOW__") or name == "AIRFLOW_CONFIG"]:
        del os.environ[name]
    os.environ |= {"_AIRFLOW__AS_LIBRARY": "1", "AIRFLOW_HOME": os.devnull}
    try:
        import structlog  # noqa: PLC0415 -- Airflow 2 has none
    except ImportError:
        return
    # Airflow configures it where it is not a library; by default it prints to standard output.
    structlog.configure(
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )


if __name__ == "__main__":
    _leave_airflow_alone()
    sys.exit(main())
