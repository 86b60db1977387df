"""`make ui`: the example DAGs in Airflow's own UI, connected to the emulator, until Ctrl-C.

Everything it writes is in ``.ui``; every process it starts ends with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from environment import ROOT, StepFailedError, airflow_environment, end_as_interrupted, fresh_folder, run_emulator
from standalone import Standalone, standalone


def main() -> int:
    """Run the UI until interrupted; the exit status."""
    end_as_interrupted()
    folder = fresh_folder(".ui")
    try:
        print("Starting the DLI emulator, an object store and Airflow; this takes about a minute.", flush=True)
        serve(folder)
    except StepFailedError as failure:
        print(f"\nFAILED: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
    return 0


def serve(folder: Path) -> None:
    """Serve until interrupted.

    :raises StepFailedError: if Airflow does not start, or ends by itself
    """
    log = folder / "airflow.log"
    with (
        run_emulator(folder) as emulator,
        standalone(airflow_environment(folder / "airflow", emulator), log) as airflow,
    ):
        print_guide(airflow)
        airflow.process.wait()
    raise StepFailedError("Airflow", log)


def print_guide(airflow: Standalone) -> None:
    """Print where it is and what to press."""
    print(
        f"\nAirflow is at  {airflow.url}\n\n"
        "  1. Open the DAG  dli_export_flink_jobs  and press Trigger: export and verify succeed.\n"
        "     Last night's run comes along, as it is scheduled. Task verify, tab Storage, XCom: the report.\n"
        "  2. Open  dli_export_selected_flink_jobs , press Trigger, type the job ids 100, 101.\n"
        "  3. Admin, Connections shows the fields of a connection of type Huawei Cloud DLI.\n\n"
        f"Logs are in {airflow.log.parent.relative_to(ROOT)}. Ctrl-C ends everything.",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
