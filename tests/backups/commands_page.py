"""``python -m tests.backups.commands_page`` writes the commands and their arguments into docs/command-line.md."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_dli.backups.cli import COMMANDS, COMMON, Argument
from tests.pages import with_section

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


def page_with(text: str) -> str:
    """Return the page with the commands in their place.

    :param text: the page as it is
    """
    rows = [
        f"| `{command.name}{''.join(f' {_name(each)}' for each in command.arguments if _is_required(each))}` "
        f"| {command.help} | {command.exits} |\n"
        for command in COMMANDS
    ]
    table = f"| command | it does | exit status |\n|---|---|---|\n{''.join(rows)}"
    return with_section(with_section(text, "commands", table), "options", _options())


def _options() -> str:
    names: dict[tuple[str, str], list[str]] = {}
    for command in COMMANDS:
        for argument in command.arguments:
            if not _is_positional(argument):
                names.setdefault((_name(argument), argument.options["help"]), []).append(command.name)
    names |= {(_name(argument), argument.options["help"]): ["all"] for argument in COMMON}
    rows = [f"| `{option}` | {', '.join(of)} | {text} |\n" for (option, text), of in names.items()]
    return f"| option | of | |\n|---|---|---|\n{''.join(rows)}"


def _is_positional(argument: Argument) -> bool:
    return not argument.flags[0].startswith("-")


def _is_required(argument: Argument) -> bool:
    return _is_positional(argument) or bool(argument.options.get("required"))


def _name(argument: Argument) -> str:
    options = argument.options
    value = options.get("metavar") or "\\|".join(options.get("choices", ()))
    if _is_positional(argument):
        return f"{value}…" if options.get("nargs") == "*" else str(value)
    return f"{argument.flags[0]} {value}".rstrip()


if __name__ == "__main__":
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
