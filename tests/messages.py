"""What a user meets: every message and every metric, as the code has them.

``python -m tests.messages`` writes the tables of docs/messages.md and docs/logging-and-metrics.md.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client import errors
from airflow_provider_dli.formatting import markdown_table
from airflow_provider_dli.metrics import ACTIONS, KINDS, METRICS
from airflow_provider_dli.parameters.models import Selection
from airflow_provider_dli.parameters.types import Kind
from tests.operators import MODELS
from tests.pages import with_section

if TYPE_CHECKING:
    from pydantic import BaseModel

ROOT = Path(__file__).parents[1]
CODE = ROOT / "airflow_provider_dli"
DOCS = ROOT / "docs"
METRICS_PAGE, PAGE = DOCS / "logging-and-metrics.md", DOCS / "messages.md"
#: the beginning of a module's path, what it is about, and the page that helps; the first that fits
TOPICS = (
    ("connection", "the connection", "connection.md"),
    ("hooks", "the connection", "connection.md"),
    ("client/iam", "credentials", "connection.md"),
    ("client/sts", "credentials", "connection.md"),
    ("client/credentials", "credentials", "connection.md"),
    ("client/transport", "network", "connection.md"),
    ("client/call", "requests", "connection.md"),
    ("client/flink", "calls of DLI", "hooks.md"),
    ("client/locations", "places in OBS", "parameters.md"),
    ("client/obs", "OBS", "permissions.md"),
    ("parameters", "values of parameters", "parameters.md"),
    ("backups/backup", "backup", "operators/backup.md"),
    ("operators", "selection", "operators/list.md"),
    ("backups/copying", "copies", "operators/copy.md"),
    ("backups/expiry", "expiry", "operators/expire.md"),
    ("backups/retention", "expiry", "operators/expire.md"),
    ("services/selection", "selection", "operators/list.md"),
    ("services/visibility", "export", "operators/export.md"),
    ("services/export_recovery", "export, lost responses", "retries.md"),
    ("services/export", "export", "operators/export.md"),
    ("services/verify", "verification", "operators/verify.md"),
    ("services/restore", "import", "operators/import.md"),
    ("backups/coverage", "coverage of backups", "operators/coverage.md"),
    ("backups/verification", "verification of backups", "operators/verify-backups.md"),
    ("backups/restore", "restore", "operators/restore.md"),
    ("backups/choice", "restore", "operators/restore.md"),
    ("backups/drill", "drill", "operators/drill.md"),
    ("backups/catalogue", "catalogue of backups", "backups.md"),
    ("services/compare", "comparison", "operators/compare.md"),
    ("services/promote", "promotion", "operators/promote.md"),
    ("services/reconcile", "lost responses", "retries.md"),
    ("services/job", "run, stop, savepoint and delete", "operators/run-and-stop.md"),
    ("sensors", "sensors", "sensors/archive.md"),
    ("triggers", "deferrable mode", "deferrable.md"),
    ("assets", "assets", "assets.md"),
)
#: constructors of failures, and whether Airflow retries; None where it depends
_FAILURES: Mapping[str, bool | None] = {
    "ConfigurationError": False,
    "Refused": False,
    "Nothing": False,
    "PartIsNothing": False,
    "DliFailException": False,
    "UnknownEventError": False,
    "DliException": True,
    "ExecutionTimeoutError": True,
    "kind": None,
}
_VALUE = "…"


@dataclass(frozen=True)
class Message:
    """A message, with an ellipsis for each value.

    :param text: what is wrong, after the field where there is one
    :param remedy: what to do, where the code has it apart
    :param retried: whether Airflow retries; None where it depends
    """

    topic: str
    page: str
    text: str
    remedy: str
    retried: bool | None


def messages() -> Iterator[Message]:
    """Yield every message that the code makes itself, in the order of :data:`TOPICS`."""
    for beginning, topic, page in TOPICS:
        for path in sorted(CODE.rglob("*.py")):
            name = path.relative_to(CODE).with_suffix("").as_posix()
            if next((first for first, *_ in TOPICS if name.startswith(first)), None) == beginning:
                yield from _messages_in(ast.parse(path.read_text(encoding="utf-8")), topic, page)


def _messages_in(tree: ast.Module, topic: str, page: str) -> Iterator[Message]:
    shared = _assigned(tree.body)
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]:
        names = shared | _assigned([node for node in ast.walk(function) if isinstance(node, ast.stmt)])
        for call in _calls(function):
            parts = [_text(part, names) for part in call.args]
            advice = next((_text(each.value, names) for each in call.keywords if each.arg == "advice"), "")
            name = call.func.id if isinstance(call.func, ast.Name) else ""
            if name == "ConfigurationError":
                text, remedy = f"{parts[0]}: {parts[1]}", parts[2]
            elif name in ("Refused", "PartIsNothing", "Nothing"):
                text, remedy = parts[0], parts[1] if len(parts) > 1 else "as in the table of parameters"
            else:
                text, remedy = parts[0], advice
            if re.search(r"[a-z]{3}", text):
                yield Message(topic, page, text, remedy, _FAILURES[name])


def _calls(function: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls that make a failure, and not those in functions within."""
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in _FAILURES
            and node.args
        ):
            yield node
        waiting = [*ast.iter_child_nodes(node), *waiting]


def _assigned(statements: list[ast.stmt]) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in statements:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    return found


def _text(node: ast.expr, names: Mapping[str, list[ast.expr]]) -> str:  # noqa: PLR0911 -- a case for each
    """Return an expression as the text that it makes, with an ellipsis for what only a run knows."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_text(each, names) for each in values)
        case ast.FormattedValue(value=value):
            return _text(value, names) if isinstance(value, ast.Name) else _VALUE
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, names) + _text(right, names)
        case ast.IfExp(body=body, orelse=orelse):
            both = (_text(body, names), _text(orelse, names))
            return " / ".join(each for each in both if each != _VALUE) or _VALUE
        case ast.Name(id=name) if name in names:
            rest = {key: values for key, values in names.items() if key != name}
            return " / ".join(dict.fromkeys(_text(each, rest) for each in names[name]))
        case _:
            return _VALUE


def classes() -> str:
    """Return the table of the client's errors."""
    rows: list[tuple[Any, ...]] = []
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.ServiceError | errors.NoResponseError):
            meaning = (kind.__doc__ or "").split("\n\n")[0].rstrip(".")
            advice = kind.advice
            if kind is errors.PermissionDeniedError:
                linked = errors.PERMISSIONS_PAGE.replace("Permissions", "[Permissions](permissions.md)")
                advice += f" {_VALUE} needs {_VALUE}; {linked}."
            rows.append((f"`{kind.__name__}`", meaning, advice, _retried(kind.transient)))
    return _table(("error", "when", "advice", "Airflow"), rows)


def codes() -> str:
    """Return the table of the service's codes that have advice of their own."""
    return _table(("code", "advice"), [(f"`{code}`", advice) for code, advice in errors.ADVICE.items()])


def parameters() -> str:
    """Return what is right, for each kind of parameter."""
    users: dict[str, list[str]] = {}
    of: dict[str, set[str]] = {}
    models: dict[str, type[BaseModel]] = {**MODELS, "selection": Selection}
    found = [
        (operator, name, kind.remedy)
        for operator, model in models.items()
        for name, field in model.model_fields.items()
        for kind in field.metadata
        if isinstance(kind, Kind)
    ]
    for _, name, remedy in found:
        of.setdefault(name, set()).add(remedy)
    for operator, name, remedy in found:
        # One that is not the same everywhere has its operator beside it.
        users.setdefault(remedy, []).append(f"`{name}`" if len(of[name]) == 1 else f"`{name}` of `{operator}`")
    rows = [(", ".join(dict.fromkeys(names)), remedy) for remedy, names in users.items()]
    return _table(("parameter", "what is right"), rows)


def made() -> str:
    """Return the tables of :func:`messages`."""
    found: dict[tuple[str, str], list[Message]] = {}
    for message in messages():
        found.setdefault((message.topic, message.page), []).append(message)
    return "\n".join(
        f"### {topic[0].upper()}{topic[1:]}\n\nSee [{page}]({page}).\n\n"
        + _table(
            ("message", "what to do", "Airflow"),
            dict.fromkeys((each.text, each.remedy or "in the message", _retried(each.retried)) for each in those),
        )
        for (topic, page), those in found.items()
    )


def metrics() -> str:
    """Return the tables of metrics."""
    table = _table(("metric", "type", "counts"), [(f"`{name}`", *each) for name, each in METRICS.items()])
    actions = ", ".join(f"`{each}`" for each in ACTIONS)
    kinds = _table(("`{kind}`", ""), [(f"`{kind}`", meaning) for kind, meaning in dict.fromkeys(KINDS.values())])
    return f"{table}\n`{{action}}` is one of {actions}.\n\n{kinds}"


def _retried(retried: bool | None) -> str:
    return {True: "retries", False: "does not retry", None: "as its cause allows"}[retried]


def _table(head: Any, rows: Any) -> str:
    return markdown_table(head, list(rows)).replace("\\`", "`").replace("\\\\", "\\")


TABLES = {"metrics": metrics, "classes": classes, "codes": codes, "parameters": parameters, "messages": made}


def written(path: Path) -> str:
    """Return a page with its tables, as the code has them."""
    text = path.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        if f"<!-- {name}: begin -->" in text:
            text = with_section(text, name, table())
    return text


if __name__ == "__main__":
    for each in (PAGE, METRICS_PAGE):
        each.write_text(written(each), encoding="utf-8")
