"""What DLI may do in OBS: the ways of old, deprecated or superseded."""

from __future__ import annotations

from airflow_provider_dli.emulator.call import Call
from airflow_provider_dli.emulator.dli.answers import field, plainly_done
from airflow_provider_dli.emulator.wire import Refusal, Reply


async def register_bucket(call: Call) -> Reply:
    """Let DLI use buckets (dli_02_0225)."""
    buckets = field(call.json_object(), "obs_buckets", list, required=True)
    known = call.project.buckets & set(buckets)
    if known:
        raise Refusal(400, "DLI.19005", f"The bucket {', '.join(sorted(known))} is authorized already.")
    call.project.buckets |= set(buckets)
    return plainly_done("The authorization is successful.")


async def create_agency(call: Call) -> Reply:
    """Let DLI act under an agency with these roles."""
    call.project.roles = list(field(call.json_object(), "roles", list, required=True))
    return plainly_done()


async def show_agency(call: Call) -> Reply:
    """Show the roles of the agency that DLI acts under."""
    return plainly_done(version="v2", current_roles=call.project.roles)
