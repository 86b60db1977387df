"""The pages of the reference: one for each public package, of its modules' docstrings."""

from __future__ import annotations

from pathlib import Path

#: package -> title and modules, the package itself as a hyphen; docs/versions.md defines what is public
PAGES = {
    "operators": ("Operators", "backup export copying coverage verify jobs restore retention drill"),
    "sensors": ("Sensors", "dli"),
    "hooks": ("Hooks", "dli obs base"),
    "triggers": ("Triggers", "flink obs"),
    "client": (
        "Client",
        "call credentials errors exchange iam sts locations replies transport transport.sync transport.aio",
    ),
    "client.flink": (
        "Flink operations",
        "- archives jobs pages status definitions settings fields",
    ),
    "client.obs": ("OBS", "client objects reader"),
    "archive": ("Archives", "- report source"),
    "": ("Exceptions and helpers", "exceptions retry_policy"),
    "links": ("Links", "dli"),
    "assets": ("Assets", "obs"),
    "filesystems": ("Filesystem", "obs"),
    "dli_emulator": ("Emulator", "- server state policies faults request_log pytest_plugin"),
}
ROOT = "airflow_provider_dli"
#: packages that give on what their modules have: only their own words are shown
_FRONTS = {f"{ROOT}.client.flink"}


def reference(folder: Path) -> None:
    """Write the pages.

    :param folder: where
    """
    folder.mkdir(parents=True)
    names = []
    for package, (title, modules) in PAGES.items():
        name = package.replace(".", "-") or "package"
        names.append(name)
        sections = "\n".join(_section(full_name(package, module)) for module in modules.split())
        (folder / f"{name}.rst").write_text(f"{title}\n{'=' * len(title)}\n\n{sections}", encoding="utf-8")
    entries = "\n".join(f"   {name}" for name in names)
    text = "Reference\n=========\n\nEvery public class and function, from its docstring.\n\n"
    (folder / "index.rst").write_text(f"{text}.. toctree::\n   :maxdepth: 1\n\n{entries}\n", encoding="utf-8")


def full_name(package: str, module: str) -> str:
    """Return the name by which a module of a page is imported."""
    root = "" if package == "dli_emulator" else ROOT
    return ".".join(part for part in (root, package, module.strip("-")) if part)


def _section(module: str) -> str:
    members = "   :no-members:\n" if module in _FRONTS else ""
    return f"{module}\n{'-' * len(module)}\n\n.. automodule:: {module}\n{members}"
