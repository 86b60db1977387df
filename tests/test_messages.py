"""Every message that the code makes, and the page on them."""

from __future__ import annotations

import re

from airflow_provider_dli.client.errors import PermissionDeniedError
from tests.messages import DOCS, PAGE, TOPICS, Message, messages, written

#: how an instruction begins
_INSTRUCTION = re.compile(
    r"(?:^|[.;:,] |or |/ )(?:give|name|omit|check|correct|copy|create|write|fill|remove|leave|run|verify|rename|"
    r"delete|export|import|restore|clear|try|grant|allow|stop|keep|do not|put|expand)\b",
    re.IGNORECASE,
)
#: the remedy is a sentence on what is right, or comes with a value
_STATED = (
    "valid are",
    "valid settings are",
    "there are",
    "bucket names have",
    "OBS keys have",
    "ids are positive",
    "an agency needs its name",
    "a mapping of settings is needed",
    "as in the table of parameters",
)

#: what follows or precedes these words is the message of a cause, with its remedy
_PASSED_ON = (
    "What was done",
    "Nothing was restored",
    "What succeeded is kept",
    "It was requested of",
    "no request takes",
    "not requested, since",
    "must contain",
)


def test_the_page_is_made_of_the_code() -> None:
    """As ``python -m tests.messages`` writes it."""
    assert written(PAGE) == PAGE.read_text(encoding="utf-8")


def test_the_page_of_permissions_has_the_title_that_messages_name() -> None:
    """For readers of the wheel or the site, who have no path of the project."""
    title = (PAGE.parent / "permissions.md").read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
    error = PermissionDeniedError("ExportFlinkJobs", 403, "DLI.0003", "Permission denied", None)
    assert str(error).endswith(f"; see the page {title} of this provider's documentation.")


def test_there_are_many() -> None:
    """And of every topic, whose page exists."""
    assert len(list(messages())) > 120
    for _, topic, page in TOPICS:
        assert (DOCS / page).exists(), page
        assert topic


def has_remedy(message: Message) -> bool:
    """Return whether a message shows what to do."""
    if message.remedy:
        known = _INSTRUCTION.search(message.remedy) or any(words in message.remedy for words in _STATED)
        return bool(known) or message.remedy.strip() == "…"
    return bool(_INSTRUCTION.search(message.text)) or any(words in message.text for words in _PASSED_ON)


def test_every_message_has_a_remedy() -> None:
    """Beside what is wrong, in its last sentence, or in the cause that it passes on."""
    assert [message for message in messages() if not has_remedy(message)] == []
