"""The official client's calls on docs/quality/conformance.md: no reply of the emulator contradicts the manual."""

from __future__ import annotations

import pytest

from api_client import ApiClient
from tests.conformance.conftest import THOROUGH
from tests.conformance.sdk_calls import PAGE, calls, outcome, page_with
from tests.operations import OPERATIONS

# "to_dict() is deprecated", of the SDK itself
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")]


def test_no_reply_contradicts_the_manual(api: ApiClient) -> None:
    """Statuses, forms and codes, what is taken and what is refused; the page has each call and its reply."""
    outcomes = [outcome(call, api) for call in calls()]
    problems = {(each.call.operation, each.call.what): each.problems for each in outcomes if each.problems}
    assert not problems, "\n".join(map(str, problems.items()))
    assert {each.call.operation for each in outcomes} == set(OPERATIONS)
    text = PAGE.read_text(encoding="utf-8")
    if THOROUGH:
        PAGE.write_text(page_with(text, outcomes), encoding="utf-8")
    else:
        assert page_with(text, outcomes) == text
