"""The page on what most likely goes wrong, made of the scenarios and the messages that come.

``python -m tests.failures.page`` writes ``docs/troubleshooting.md`` anew.
"""

from __future__ import annotations

import re
from pathlib import Path

from dli_emulator import Emulator
from tests.connections import connected
from tests.failures.scenarios import SCENARIOS, message_of

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
_HEAD = """# Troubleshooting

A red task says in one line what is wrong and what to do. Where to find it: click the red task, *Logs*, and go to
the last lines.

These are the failures that are most likely, with the message of each. Each was brought about in the tests against
the emulator; the page is made anew by `python -m tests.failures.page`, and a test holds it against the messages
that come.

*Retried*: Airflow runs the task again, as often as its `retries` say. *Not retried*: no retry could help, and none
is spent.
"""


def page(messages: dict[str, str]) -> str:
    """Write the page.

    :param messages: of each scenario
    """
    parts = [_HEAD]
    for name, scenario in SCENARIOS.items():
        retried = "Retried." if scenario.retried else "Not retried."
        parts += [
            f"## {scenario.title}\n",
            f"> {messages[name]}\n",
            f"{retried} {scenario.remedy}\n",
            f"![{scenario.title}](pictures/failure-{name}.png)\n",
        ]
    return "\n".join(parts)


def told() -> dict[str, str]:
    """Give the message that the page tells of each scenario."""
    by_title = dict(re.findall(r"^## (.*)\n\n> (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    return {name: by_title[scenario.title] for name, scenario in SCENARIOS.items()}


def main() -> None:
    """Bring every failure about, and write the page."""
    messages = {}
    with Emulator() as world:
        for name, scenario in SCENARIOS.items():
            world.reset()
            with connected(scenario.connections(world)):
                scenario.set_up(world)
                messages[name] = message_of(name)
    PAGE.write_text(page(messages), encoding="utf-8")


if __name__ == "__main__":
    main()
