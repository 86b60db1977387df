"""What DLI may do in OBS: the ways of old, deprecated or superseded."""

from __future__ import annotations

from dli_emulator.call import Call
from dli_emulator.dli.answers import list_field, plainly_done
from dli_emulator.wire import Refusal, Reply


async def register_bucket(call: Call) -> Reply:
    """Let DLI use buckets (dli_02_0225)."""
    buckets = set(list_field(call.json_object(), "obs_buckets", str, required=True) or [])
    known = call.project.buckets & buckets
    if known:
        raise Refusal(400, "DLI.19005", f"The bucket {', '.join(sorted(known))} is authorized already.")
    call.project.buckets |= buckets
    return plainly_done("The authorization is successful.")


async def create_agency(call: Call) -> Reply:
    """Let DLI act under an agency with these roles."""
    call.project.roles = list_field(call.json_object(), "roles", str, required=True) or []
    return plainly_done()


async def show_agency(call: Call) -> Reply:
    """Show the roles of the agency that DLI acts under."""
    return plainly_done(version="v2", current_roles=call.project.roles)
