"""Count the cases, or write what is read of each."""

from __future__ import annotations

import json
import sys

from tests.parameters.forms import FORMS
from tests.parameters.table import GOLDEN, cases, golden, measured

if "--write" in sys.argv:
    GOLDEN.write_text(json.dumps(measured(), indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
known, all_cases = golden(), list(cases())
taken = sum(len(known[case.kind]) for case in all_cases)
total = len(all_cases) * len(FORMS)
print(f"{len(all_cases)} parameters x {len(FORMS)} forms = {total:,}: {taken:,} read, {total - taken:,} refused")  # noqa: T201 -- a command
