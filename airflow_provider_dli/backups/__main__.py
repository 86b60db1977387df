"""``python -m airflow_provider_dli.backups``: work with a catalogue where there is no Airflow any more.

Of Airflow only its libraries are used: no configuration is read, no database, and nothing is written to its home.
"""

from __future__ import annotations

import locale
import logging
import os
import sys
from base64 import urlsafe_b64encode
from importlib.metadata import PackageNotFoundError, version
from tempfile import TemporaryDirectory

from airflow_provider_dli.backups.cli import main


def _run() -> int:
    """Let this process import Airflow without what belongs to an installation, and run the command."""
    _use_utf8()
    for name in [name for name in os.environ if name.startswith("AIRFLOW__") or name == "AIRFLOW_CONFIG"]:
        del os.environ[name]
    try:
        version("apache-airflow-core")
    except PackageNotFoundError:
        return _run_on_airflow_2()
    import structlog  # noqa: PLC0415 -- Airflow 2 has none

    os.environ |= {"_AIRFLOW__AS_LIBRARY": "1", "AIRFLOW_HOME": os.devnull}
    # Airflow configures it where it is not a library; by default it logs all, to standard output.
    structlog.configure(
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    return main()


def _use_utf8() -> None:
    """Begin again with UTF-8 where the locale is broken: Airflow reads its own files in the locale's encoding."""
    if sys.flags.utf8_mode or locale.getpreferredencoding(do_setlocale=False).lower().replace("-", "") == "utf8":
        return
    os.environ["PYTHONUTF8"] = "1"
    if sys.stdout:  # what is printed stays in an encoding that its reader expects
        os.environ.setdefault("PYTHONIOENCODING", f"{sys.stdout.encoding}:{sys.stdout.errors}")
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 -- this very command


def _run_on_airflow_2() -> int:
    """Run the command with a home for a while: it reads no connection where it is a library."""
    os.environ |= {
        # Nothing is encrypted with it.
        "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(os.urandom(32)).decode(),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        # It warns of its own default.
        "AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY": "True",
    }
    with TemporaryDirectory(prefix="airflow-") as home:
        os.environ["AIRFLOW_HOME"] = home
        return main()


if __name__ == "__main__":
    sys.exit(_run())
