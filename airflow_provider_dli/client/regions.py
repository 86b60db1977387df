"""The regions that are known, for messages about one that may be misspelt; others are used too."""

from __future__ import annotations

import re
from difflib import get_close_matches

#: those of DLI in Huawei Cloud's own clients, one that has no DLI there, and those of Open Telekom Cloud
KNOWN_REGIONS = frozenset(
    {
        "ae-ad-1",
        "af-north-1",
        "af-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "cn-east-2",
        "cn-east-3",
        "cn-north-1",
        "cn-north-2",
        "cn-north-4",
        "cn-north-9",
        "cn-south-1",
        "cn-southwest-2",
        "eu-west-0",
        "eu-west-101",
        "la-north-2",
        "la-south-2",
        "me-east-1",
        "my-kualalumpur-1",
        "na-mexico-1",
        "ru-northwest-2",
        "sa-brazil-1",
        "tr-west-1",
        "eu-ch2",
        "eu-de",
        "eu-nl",
    }
)
_IN_HOST = re.compile(
    r"\b(?:dli|iam|obs|sts)\.([a-z0-9-]+)\.(?:myhuaweicloud\.(?:com|eu)|otc\.t-systems\.com)(?![\w.:-])"
)


def nearest_region(text: str) -> str | None:
    """Return the known region that a text is most like; None if it is like none."""
    close = get_close_matches(re.sub(r"[\s_]+", "-", text.strip().lower()), sorted(KNOWN_REGIONS), 1)
    return close[0] if close else None


def region_in(text: str) -> str | None:
    """Return the region in the first host of the form that follows from one; None if there is none."""
    found = _IN_HOST.search(text)
    return found[1] if found else None


def doubt(region: str) -> str:
    """Return the sentence for a region that is not known; empty for a known one."""
    if region in KNOWN_REGIONS:
        return ""
    nearest = nearest_region(region)
    return f"{region} is not a known region{f', did you mean {nearest}?' if nearest else '.'}"
