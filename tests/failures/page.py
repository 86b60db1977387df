"""The page on what most likely goes wrong, made of the scenarios and the messages that come.

``python -m tests.failures.page`` writes ``docs/troubleshooting.md``.
"""

from __future__ import annotations

import re
from pathlib import Path

from dli_emulator import Emulator
from tests.connections import connected
from tests.failures.scenarios import SCENARIOS, message_of

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
_HEAD = """# Troubleshooting

The message at the end of a failed task's log names, in one line, what is wrong and what to do. The frames above it
are needed only to report a bug.

The most likely failures; [messages](messages.md) has all. *Retried*: Airflow runs the task again, as often as its
`retries` allow. *Not retried*: the task fails at once.
"""


def page(messages: dict[str, str]) -> str:
    """Write the page.

    :param messages: of each scenario
    """
    parts = [_HEAD, "<!-- failures: begin -->"]
    for name, scenario in SCENARIOS.items():
        retried = "Retried." if scenario.retried else "Not retried."
        parts += [
            f"## {scenario.title}\n",
            f"> {messages[name]}\n",
            f"{retried} {scenario.remedy}\n",
            f"![{scenario.title}](pictures/failure-{name}.png)\n",
        ]
    return "\n".join([*parts, "<!-- failures: end -->\n"])


def messages_on_page() -> dict[str, str]:
    """Return the message of each scenario, as the page has it."""
    by_title = dict(re.findall(r"^## (.*)\n\n> (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    return {name: by_title[scenario.title] for name, scenario in SCENARIOS.items()}


def main() -> None:
    """Produce every failure, and write the page."""
    messages = {}
    with Emulator() as emulator:
        for name, scenario in SCENARIOS.items():
            emulator.reset()
            with connected(scenario.connections(emulator)):
                scenario.set_up(emulator)
                messages[name] = message_of(name)
    PAGE.write_text(page(messages), encoding="utf-8")


if __name__ == "__main__":
    main()
