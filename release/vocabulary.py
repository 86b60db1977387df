"""``python release/vocabulary.py [PATH …]``: words that this project does not use, and what it says instead.

The rules are in CONTRIBUTING.md, *Words*. Identifiers are read as words: ``AnswerLost`` and ``lost_answer`` are
two words each. Quotations are exempt: a line that ends with the comment ``quoted``, in Markdown also the lines
between ``<!-- quotation -->`` and ``<!-- end of quotation -->``, and the files in ``_QUOTED``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: what to say instead of what; a phrase, read as a regular expression with letters of either case
WORDS = {
    r"reds?|is red": "failed",
    r"greens?": "succeeded",
    r"asks?|asked|asking": "send, request, query",
    r"(become|becomes|became) of": "outcome",
    r"(lost|last|late|an|the|its|no|each|every|first|whose|of|that) answers?": "response",
    r"answers? (lost|was|is|that)": "response",
    r"looks?|looked|looking": "check, poll",
    r"tells?|telling|told": "log, report, return",
    r'(?<=""")gives?': "Return, Yield",
    r"says?|said|saying": "log, report, return, write",
    r"(a|an|the|this|that|next|each|every|one|earlier|later|last|same|of|in|per) (try|tries)": "attempt",
    r"prov(e|es|ed|en|ing) (\w+ ){0,3}whole|(is|are|be|was|were|as|it|found) whole": "verify; intact",
    r"(held|holds|hold|holding) (\w+ ){0,4}against": "compared with",
    r"anew": "again",
    r"stand(s|ing)? in": "is in",
    r"rights|(a|the|another|missing|this|no|which) right(?= (to|that|on|which|is|of DLI|of IAM)\b)": "permissions",
    r"mends?|mended|mending": "fix",
    r"blots?|blotted|hush": "redact",
    r"blanks?": "space, empty",
    r"must be given": "required",
    r"adopts?|adopted|adopting|adoption": "reuse, use, recover",
    r"settles?|settled|settling": "stabilize",
    r"(left|leave|leaves|leaving) (\w+ )?out": "omitted, skipped",
    r"none of (its|their) own": "(rewrite)",
    r"(?<!there )is no (?!longer|more|other|such|need|way|reason|proof|one )\w+": "is not a valid",
    r"to be done|to look up": "How-to guides, Reference",
    r"deeds?|doing\.(ask|do|notes)": "JobAction, ActionRunner",
    r"under way": "in progress",
    r"fleeting": "transient",
    r"task memory": "TaskState",
    r"patience|bear": "FailureBudget.record",
    r"converse|conversation": "request_flow, Flow",
    r"on clash|clash|clashes": "on_conflict, conflict",
    r"report to(?==)|copy to(?==)": "report_dir, staging_dir",
    r"dry run|is dry run": "plan_only",
    r"flaws?": "problem",
    r"worlds?|doors?|(?<!default )goals?|sound": "emulator or state, proxy, target_state, verified or intact",
    r"living|halves|seeing|talking": "airflow_process, execution_modes, findings, scripted_replies",
}
#: what holds such a word and is right: the names of others, and idioms
ALLOWED = (
    r"\btell\(\)|\.tell\b|def tell\(|[Bb]lank lines?|keep_blank_values",
    r"try_number|max_tries|next_try|asyncio\.wait_for|\.tries\b|(?<=\W)dry_run\(",
    r"[Ll]ook(s|ed|ing)?[ _-]?(\w+ )?ups?(?![a-z])|(?<=[ _])looks like\b|that is to say|[Ss]tand[-_]?in",
)
_PATHS = ("*.py", "*.md", "*.toml", "Makefile", "*.sh")
#: generated, or a record of what was
_QUOTED = (
    "CHANGELOG.md",
    "release/vocabulary.py",
    "docs/quality/mutation.md",
    "docs/quality/comparison.md",
    "tests/golden/*",
)
_MARK = re.compile(r"(#|<!--) quoted( -->)?$")
_BEGIN, _END = "<!-- quotation -->", "<!-- end of quotation -->"
_WORDS = [(re.compile(rf"(?<![a-z])(?:{left})(?![a-z])", re.IGNORECASE), right) for left, right in WORDS.items()]
_ALLOWED = re.compile("|".join(ALLOWED))
_JOINTS = re.compile(r"_+|(?<=[a-z0-9])(?=[A-Z])")


def main(paths: Sequence[str]) -> int:
    """Print every such word in these paths, or in all of the project; return 1 if there is one.

    :param paths: files and folders
    """
    found: Counter[str] = Counter()
    for path in files(paths or ["."]):
        is_quoted = False
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1):
            if line in (_BEGIN, _END):
                is_quoted = line == _BEGIN
            for word, instead in [] if is_quoted else words_in(line):
                found[instead] += 1
                print(f"{path}:{number}: {word!r} -> {instead}: {line.strip()[:100]}")
    for each, times in found.most_common():
        print(f"{times:6}  to be: {each}")
    return int(bool(found))


def files(paths: Sequence[str]) -> Iterator[Path]:
    """Yield the files that git knows, quotations aside.

    :param paths: files and folders
    """
    known = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *paths],  # noqa: S607 -- any git
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, known.split("\0")):
        is_read = any(fnmatch(name, each) for each in _PATHS) and not any(fnmatch(name, each) for each in _QUOTED)
        if is_read and (ROOT / name).exists():
            yield Path(name)


def words_in(line: str) -> list[tuple[str, str]]:
    """Return the words of a line that are not used, each with what to say instead.

    :param line: of code or prose
    """
    if _MARK.search(line):
        return []
    text = _JOINTS.sub(" ", _ALLOWED.sub(" ", line))
    return [(match[0], right) for left, right in _WORDS for match in left.finditer(text)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
