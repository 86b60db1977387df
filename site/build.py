"""``make docs``: the pages of docs/ and the reference of every public module, as one site.

The pages stay plain Markdown that reads well on a forge; they are copied for Sphinx, with the same folders,
so that the same links hold. What a link means that leads to a folder or to code is decided here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from modules import reference

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / ".cache" / "site-source"
OUTPUT = ROOT / ".cache" / "site"
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "dli_emulator/README.md")
#: folders whose code pages link to; each file gets a page with its text
CODE = ("example_dags", "comparison", "live")
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def main() -> int:
    """Lay the source out, build the site, or check its outer links; Sphinx's exit code."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    lay_out()
    builder = "linkcheck" if "--links" in sys.argv else "html"
    target = OUTPUT if builder == "html" else OUTPUT.with_name("site-links")
    shutil.rmtree(target, ignore_errors=True)  # pages that are no longer made
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-n",
        "-W",
        "--keep-going",
        "-b",
        builder,
        "-c",
        ROOT / "site",
        "-d",
        OUTPUT.with_name("doctrees"),
    ]
    code = subprocess.run([str(part) for part in (*command, SOURCE, target)], check=False).returncode
    if code == 0:
        print(f"{target.relative_to(ROOT)}/{'docs/index.html' if builder == 'html' else 'output.txt'}")
    return code


def lay_out() -> None:
    """Copy the pages, and write those that only the site has."""
    for name in PAGES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, SOURCE / name)
        else:
            (SOURCE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, SOURCE / name)
    shutil.copy(ROOT / "LICENSE", SOURCE / "LICENSE")
    linked = set()
    for page in sorted(SOURCE.rglob("*.md")):
        linked |= resolve_links(page)
    for file in sorted(linked):
        write_code(file)
    write_folders(linked)
    reference(SOURCE / "docs" / "reference")
    write_index()


def resolve_links(page: Path) -> set[Path]:
    """Turn a page's links to folders and code into links to pages; which code it links to.

    :param page: in the source
    :returns: files, relative to the project
    """
    linked: set[Path] = set()

    def turn(match: re.Match[str]) -> str:
        picture, text, target = match.groups()
        if picture or ":" in target or target.startswith("#"):
            return match[0]
        path = (ROOT / page.relative_to(SOURCE)).parent.joinpath(target.partition("#")[0]).resolve()
        inside = path.relative_to(ROOT)
        if path.is_dir():
            return f"[{text}]({target.rstrip('/')}/index.md)"
        if inside.parts[0] in CODE:
            linked.add(inside)
            return f"[{text}]({target}.md)"
        return match[0]

    parts, at = [], 0
    content = page.read_text(encoding="utf-8")
    for fence in _FENCE.finditer(content):
        # A forge draws the diagram; here its text is shown, which has the same content.
        parts += [_LINK.sub(turn, content[at : fence.start()]), fence[0].replace("```mermaid", "```text")]
        at = fence.end()
    page.write_text("".join([*parts, _LINK.sub(turn, content[at:])]), encoding="utf-8")
    return linked


def write_code(file: Path) -> None:
    """Write a page with the text of a file of code.

    :param file: relative to the project
    """
    kind = "json" if file.suffix == ".json" else "python"
    shown = f"# {file.name}\n\n`{file}`\n\n````{kind}\n{(ROOT / file).read_text(encoding='utf-8')}````\n"
    target = SOURCE / f"{file}.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(f"---\norphan: true\n---\n{shown}", encoding="utf-8")


def write_folders(linked: set[Path]) -> None:
    """Write a page for each folder that pages link to: what is in it.

    :param linked: the code that has pages
    """
    for folder in sorted({file.parent for file in linked} | {Path("example_dags")}):
        entries = "\n".join(f"- [{file.name}]({file.name}.md)" for file in sorted(linked) if file.parent == folder)
        text = f"---\norphan: true\n---\n# {folder}\n\n{entries}\n"
        (SOURCE / folder / "index.md").write_text(text, encoding="utf-8")
    decisions = SOURCE / "docs" / "decisions"
    names = "\n".join(path.stem for path in sorted(decisions.glob("0*.md")))
    text = f"# Decisions\n\nWhat was decided, and why.\n\n```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n"
    (decisions / "index.md").write_text(text, encoding="utf-8")


def write_index() -> None:
    """Write the first page: docs/README.md, with its links as the tables of contents."""
    page = SOURCE / "docs" / "README.md"
    caption_and_rows = r"^\*\*(.+?)\*\*$(.*?)(?=^\*\*|\Z)"
    groups = re.findall(caption_and_rows, page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    trees = []
    for caption, rows in groups:
        names = dict.fromkeys(re.findall(r"\]\(([^):#]+)\.md\)", rows))
        if caption == "References":
            names["Python API <reference/index>"] = None
        entries = "\n".join(names)
        trees.append(f"```{{toctree}}\n:hidden:\n:caption: {caption}\n:maxdepth: 1\n\n{entries}\n```\n")
    text = page.read_text(encoding="utf-8")
    page.with_name("index.md").write_text(text + "\n".join(trees), encoding="utf-8")
    page.unlink()
    for other in SOURCE.rglob("*.md"):
        found = other.read_text(encoding="utf-8")
        if "docs/README.md" in found or "](README.md" in found or "](../README.md" in found:
            other.write_text(_towards_index(other, found), encoding="utf-8")


def _towards_index(page: Path, text: str) -> str:
    """Turn links to docs/README.md into such to the first page."""

    def turn(match: re.Match[str]) -> str:
        target = page.parent.joinpath(match[3].partition("#")[0]).resolve()
        if target == SOURCE / "docs" / "README.md":
            return match[0].replace("README.md", "index.md")
        return match[0]

    return _LINK.sub(turn, text)


if __name__ == "__main__":
    sys.exit(main())
