"""Every code block of README and docs is run, or read by the program that it is written for.

A block that cannot be has the language ``text``. What a page quotes from a file has a comment above it,
``quoted from PATH``, and is compared with that file, which other tests run. A script may use what those above it
define.
"""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import certifi
import pytest
import yaml  # type: ignore[import-untyped]  # it has no types
from airflow.configuration import conf
from airflow.models import Connection
from airflow.sdk import Asset
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider_dli.connection import to_account
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.operators.dli import DliVerifyFlinkExportOperator
from dli_emulator import Emulator
from tests.conftest import PROJECT
from tests.connections import forget_filesystems
from tests.dag_runs import DagRunner, exported
from tests.processes import untraced

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
#: of the shell and of every system; their arguments are not checked
PLAIN = {".", "cat", "curl", "cd", "cp", "echo", "jq", "ls", "mkdir", "source", "tar", "umask", "zcat"}
_FENCE = re.compile(
    r"(?:<!-- (?P<mark>[^\n]*?) -->\n)?^(?P<indent> *)```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_HEREDOC = re.compile(r"<<'(\w+)'\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_DAG_ID = re.compile(r"DAG\(\s*(?:dag_id=)?\"(\w+)\"")
_VARIABLE = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
#: comments above blocks that other tests put into a copy of the project
_PLACED = ("new: ", "in: ")


@dataclass(frozen=True)
class Block:
    """A code block.

    :param page: that has it
    :param number: among the page's blocks, from 1
    :param language: after the fence
    :param text: in it
    :param mark: the comment above it
    """

    page: Path
    number: int
    language: str
    text: str
    mark: str
    above: tuple[Block, ...] = field(repr=False)

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT).with_suffix('')}-{self.number}"

    @property
    def kind(self) -> str:
        """What is done with it: its language, or what Python it is."""
        if self.mark.startswith(_PLACED):
            return "placed"
        if self.mark.startswith("quoted from "):
            return "quoted"
        if self.language != "python":
            return {"sh": "console", "bash": "console", "cfg": "ini"}.get(self.language, self.language)
        if re.search(r"^(async )?def test_", self.text, re.MULTILINE):
            return "test"
        if "DAG(" in self.text or re.search(r"^@dag\b", self.text, re.MULTILINE):
            return "dag"
        return "task" if re.search(r"Dli\w+(Operator|Sensor)\(|^@task\b", self.text, re.MULTILINE) else "script"


def _blocks() -> Iterator[Block]:
    for page in PAGES:
        above: list[Block] = []
        for number, found in enumerate(_FENCE.finditer(page.read_text(encoding="utf-8")), 1):
            text = textwrap.dedent(found["text"])
            block = Block(page, number, found["language"], text, found["mark"] or "", tuple(above))
            above.append(block)
            yield block


BLOCKS = list(_blocks())


def of_kind(*kinds: str) -> pytest.MarkDecorator:
    """Parametrize a test with the blocks of some kinds."""
    chosen = [block for block in BLOCKS if block.kind in kinds]
    return pytest.mark.parametrize("block", chosen, ids=[block.name for block in chosen])


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    """Others have the language ``text``, so that a reader and this test know that nothing runs there."""
    tested = {
        "placed",
        "quoted",
        "test",
        "dag",
        "task",
        "script",
        "console",
        "json",
        "ini",
        "toml",
        "yaml",
        "text",
    }
    assert {block.name: block.kind for block in BLOCKS if block.kind not in tested} == {}


@of_kind("quoted")
def test_what_is_quoted_is_in_the_file(block: Block) -> None:
    """Word for word, but for the indentation."""
    file = (ROOT / block.mark.removeprefix("quoted from ")).read_text(encoding="utf-8")
    assert any(textwrap.indent(block.text, " " * depth) in file for depth in (0, 4, 8))


@pytest.fixture
def folder(dli_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder to be in, with connections and a variable that lead to the emulator."""
    forget_filesystems()
    projects = [dli_emulator.state.add_project(f"cn-north-4_{name}").project_id for name in ("scratch", "test")]
    other = {"AIRFLOW_CONN_DLI_STANDBY": dli_emulator.connection(project_id=projects[0])}
    other["AIRFLOW_CONN_DLI_SCRATCH"] = other["AIRFLOW_CONN_DLI_STANDBY"]
    other["AIRFLOW_CONN_DLI_TEST"] = dli_emulator.connection(project_id=projects[1])
    for name, value in other.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.airflow_conn)
    monkeypatch.setenv("AIRFLOW_VAR_DLI_BACKUP_BUCKET", dli_emulator.bucket)
    (tmp_path / "credentials").write_text("[basic]\nak = X\nsk = X\n")
    monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    for name in ("AK", "SK"):
        monkeypatch.setenv(f"HUAWEICLOUD_SDK_{name}", "X")
    with chdir(tmp_path):
        yield tmp_path


def filled_in(text: str, emulator: Emulator) -> str:
    """Return a block with the emulator's bucket, in which each archive that it names is there; on disk too."""
    archives = re.findall(r"""["'/ ]((?:my-bucket/)?[\w/-]+\.zip)\b""", text)
    if archives:
        content = emulator.s3.get_object(Bucket=emulator.bucket, Key=exported(emulator, "made").partition("/")[2])
        body = content["Body"].read()
        for archive in archives:
            if archive.startswith("my-bucket/"):
                emulator.s3.put_object(Bucket=emulator.bucket, Key=archive.partition("/")[2], Body=body)
            elif "/" not in archive:
                Path(archive).write_bytes(body)
    return text.replace("my-bucket", emulator.bucket)


@pytest.mark.usefixtures("folder")
@of_kind("script")
def test_a_script_runs(block: Block, dli_emulator: Emulator) -> None:
    """After the scripts above it on its page."""
    exported(dli_emulator, "flink")
    names: dict[str, Any] = {}
    for each in (*block.above, block):
        if each.kind == "script":
            exec(compile(filled_in(each.text, dli_emulator), each.name, "exec"), names)  # noqa: S102 -- our own page


def parsed(text: str, file: Path) -> dict[str, Any]:
    """Write a DAG file and have Airflow parse it; its DAGs, by their ids."""
    try:
        from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 -- where Airflow 3 has it
    except ImportError:
        from airflow.models import DagBag  # noqa: PLC0415 -- where Airflow 2.11 has it
    file.write_text(text, encoding="utf-8")
    bag = DagBag(file)
    assert bag.import_errors == {}
    return dict(bag.dags)


@of_kind("task")
def test_tasks_are_of_a_dag(block: Block, folder: Path) -> None:
    """In a DAG file, where its author would put them."""
    imports = "from airflow.sdk import DAG\n\nwith DAG('shown'):\n"
    (dag,) = parsed(imports + textwrap.indent(block.text, "    "), folder / "shown.py").values()
    functions = [each for each in ast.parse(block.text).body if isinstance(each, ast.FunctionDef)]
    assert dag.tasks or functions


@of_kind("dag")
def test_a_dag_runs(block: Block, folder: Path, dli_emulator: Emulator, run_dag: DagRunner) -> None:
    """Each DAG that is not started by the event of an asset: no event is there when it is run by hand."""
    file = folder / "shown.py"
    found = parsed(filled_in(block.text, dli_emulator), file)
    assert set(found) == set(_DAG_ID.findall(block.text))
    for dag_id, dag in found.items():
        if not re.search("[Aa]sset|[Dd]ataset", type(dag.timetable).__name__):
            environment = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_CONN")}
            run = replace(run_dag, file=file)(dag_id, None, **environment)
            assert set(run.states.values()) == {"success"}, run.log


@of_kind("dag")
def test_a_dag_that_assets_start_takes_all_their_events(
    block: Block, folder: Path, dli_emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mapped verify task adds an event for each of its instances: each archive is taken, and once.

    A restore takes those of the last run alone, whatever the order of the events.
    """
    if "triggering_asset_events" not in block.text:
        return
    archives = [exported(dli_emulator, f"flink/{name}") for name in ("b", "a")]
    older = exported(dli_emulator, "flink/older")
    for dag in parsed(filled_in(block.text, dli_emulator), folder / "shown.py").values():
        for function in filter(None, (getattr(task, "python_callable", None) for task in dag.tasks)):
            (asset,) = (each for each in function.__globals__.values() if isinstance(each, Asset))
            events = []
            for number, archive in enumerate((*archives, archives[0], older)):
                accessors: Any = OutletEventAccessors()
                verify = DliVerifyFlinkExportOperator(task_id="verify", zip_file=archive, outlets=[asset])
                verify.execute({"outlet_events": accessors})
                of_run = (
                    {"timestamp": -1, "source_run_id": "before"} if archive == older else {"timestamp": number}
                )
                events.append(SimpleNamespace(extra=accessors[asset].extra, **{"source_run_id": "last", **of_run}))
            capsys.readouterr()
            taken = function(triggering_asset_events={asset: events})
            shown = capsys.readouterr().out
            assert taken == archives if taken else all(f"{archive} " in shown for archive in archives)


def test_the_last_backup_is_restored_by_hand(folder: Path, run_dag: DagRunner) -> None:
    """By a DAG that an asset starts; without a backup it fails, for that reason."""
    dags = [each for each in BLOCKS if each.kind == "dag" and each.page.stem == "restore"]
    (block,) = [each for each in dags if "standby" in each.text]
    (dag,) = parsed(block.text, folder / "shown.py").values()
    (function,) = filter(None, (getattr(task, "python_callable", None) for task in dag.tasks))
    nothing: dict[Any, list[Any]] = {function.__globals__["BACKUPS"]: []}
    with pytest.raises(DliFailException, match="verified_flink_archives: no backup was verified yet"):
        function(triggering_asset_events=nothing, inlet_events=nothing)
    backup = run_dag("dli_export_flink_jobs")
    environment = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_CONN")}
    run = replace(run_dag, file=folder / "shown.py")("standby", None, **environment)
    assert set(run.states.values()) == {"success"}, run.log
    assert run.xcoms["new_archives", "return_value"] == backup.xcoms["export", "return_value"]


def test_a_users_own_test_suite(tmp_path: Path) -> None:
    """The tests of all pages, copied as they are into a folder of somebody who has only the packages.

    They write nothing into the Airflow that is set up there.
    """
    tests = [block for block in BLOCKS if block.kind == "test"]
    for page in {block.page for block in tests}:
        code = "\n\n".join(block.text for block in tests if block.page == page)
        (tmp_path / f"test_{page.stem.replace('-', '_')}.py").write_text(code)
    (conftest,) = [block for block in BLOCKS if block.mark == "new: conftest.py"]
    (tmp_path / "conftest.py").write_text(conftest.text)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "dags").mkdir()
    shutil.copy(ROOT / "example_dags" / "dli_export_flink_jobs.py", tmp_path / "dags" / "my_backup.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--rootdir", tmp_path, "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=untraced() | {"AIRFLOW_HOME": str(tmp_path / "mine")},
        capture_output=True,
        text=True,
        check=False,
    )
    count = sum(len(re.findall(r"^def test_", block.text, re.MULTILINE)) for block in tests)
    assert f"{count} passed" in done.stdout, done.stdout
    assert not (tmp_path / "mine").exists()


@pytest.mark.usefixtures("folder")
@of_kind("json")
def test_json_is_what_it_is_for(block: Block) -> None:
    """A connection is read as a connection, a policy as a policy, anything else as JSON."""
    shown = json.loads(block.text)
    several = list(shown.values()) if isinstance(shown, dict) else []
    for connection in (shown, *several):
        if isinstance(connection, dict) and "conn_type" in connection:
            check_connection(json.dumps(connection))
    if isinstance(shown, dict) and "Statement" in shown:
        assert set(shown) == {"Version", "Statement"}


def check_connection(text: str) -> None:
    """Have Airflow and this provider read a connection that is written as JSON."""
    text = re.sub(r'(?<=")/[\w/.-]+\.pem', certifi.where(), text.replace("<project id>", PROJECT))
    connection = Connection.from_json(re.sub("<[a-z ]+>", "X", text))
    if connection.conn_type == "dli":
        to_account(connection)


@of_kind("toml")
def test_toml_is_toml(block: Block) -> None:
    """By its reader."""
    assert tomllib.loads(block.text)


@of_kind("yaml")
def test_a_pod_template_is_one_of_airflow(block: Block) -> None:
    """Its first container is called as KubernetesExecutor calls its own, and all volumes are there."""
    pod = yaml.safe_load(block.text)
    container = pod["spec"]["containers"][0]
    assert (pod["kind"], container["name"]) == ("Pod", "base")
    assert {each["name"] for each in container["volumeMounts"]} == {
        each["name"] for each in pod["spec"]["volumes"]
    }


@of_kind("ini")
def test_settings_are_airflows(block: Block) -> None:
    """Each is a setting of Airflow or of a provider."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(block.text)
    assert parser.sections()
    for section in parser.sections():
        for option in parser.options(section):
            check_setting(section, option)


def check_setting(section: str, option: str) -> None:
    """Look up a setting of Airflow; one that is replaced by a command or a secret has another ending."""
    known = conf.configuration_description.get(section, {}).get("options", {})
    assert option.removesuffix("_cmd").removesuffix("_secret") in known, f"[{section}] {option}"


@pytest.mark.usefixtures("folder")
@of_kind("console")
def test_commands_exist_and_take_their_options(block: Block, dli_emulator: Emulator) -> None:
    """Nothing is installed or changed: programs parse their arguments, and Python on the command line runs."""
    assert subprocess.run(["/bin/bash", "-n"], input=block.text, text=True, check=False).returncode == 0
    for _, script in _HEREDOC.findall(block.text):
        exec(compile(filled_in(script, dli_emulator), block.name, "exec"), {})  # noqa: S102 -- our own page
    for command in commands(_HEREDOC.sub("", block.text)):
        check_command(command, dli_emulator)


def commands(text: str) -> Iterator[list[str]]:
    """Split a script into its commands, each a list of words."""
    text = re.sub(r"\\\n|(?<!\S)#.*$", "", text, flags=re.MULTILINE)
    lexer = shlex.shlex(text, posix=True, punctuation_chars="&|;\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    words: list[str] = []
    for word in [*lexer, "\n"]:
        if set(word) <= set("&|;\n"):
            if words:
                yield words
            words = []
        elif word != "\n":
            words.append(word)


def check_command(words: list[str], emulator: Emulator) -> None:
    """Check one command; variables that are set in front of it too."""
    if words[0] == "export":
        words = words[1:]
    while words and (assigned := _VARIABLE.fullmatch(words[0])):
        check_variable(*assigned.groups())
        words = words[1:]
    if not words or words[0] in PLAIN:
        return
    program, *arguments = words
    if program == "python":
        check_python(arguments, emulator)
    elif program == "pip":
        check_python(["-m", "pip", *arguments], emulator)
    else:
        assert program in CHECKS, f"{program}: unknown; a block that cannot run has the language text"
        CHECKS[program](arguments)


def check_variable(name: str, value: str) -> None:
    """Check a variable of the environment."""
    if name.startswith("AIRFLOW__"):
        section, option = name.removeprefix("AIRFLOW__").lower().split("__")
        check_setting(section.replace("common_io", "common.io"), option)
    elif name.startswith("AIRFLOW_CONN_"):
        check_connection(value)


def check_airflow(arguments: list[str]) -> None:
    """Have Airflow parse its arguments; a DAG that is named is of an example, or of a page."""
    from airflow.cli.cli_parser import get_parser  # noqa: PLC0415 -- takes seconds

    options = get_parser().parse_args(arguments)
    if dag_id := getattr(options, "dag_id", None):
        files = [*(ROOT / "example_dags").glob("*.py"), *PAGES]
        assert dag_id in _DAG_ID.findall("\n".join(file.read_text(encoding="utf-8") for file in files))
    if conf_text := getattr(options, "conf", None):
        assert json.loads(conf_text)


def check_make(arguments: list[str]) -> None:
    """Look up the target; options of ``make live`` are parsed."""
    target, *assigned = arguments
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE), target
    for name, value in (each.split("=", 1) for each in assigned):
        assert f"$({name})" in (ROOT / "Makefile").read_text(encoding="utf-8")
        if name == "LIVE":
            check_options(("live/live.py",), shlex.split(value))


CHECKS: dict[str, Callable[[list[str]], None]] = {"airflow": check_airflow, "make": check_make}


def check_python(arguments: list[str], emulator: Emulator) -> None:
    """Run a program of one line; of a module or a file check the options."""
    if arguments[0] == "-c":
        exec(compile(filled_in(arguments[1], emulator), "-c", "exec"), {})  # noqa: S102 -- our own page
    elif arguments[0] == "-m":
        assert find_spec(arguments[1]), arguments[1]
        length = 3 if arguments[1] in ("pip", "airflow_provider_dli.backups") else 2
        check_options(tuple(arguments[:length]), arguments[length:])
    elif arguments[0] != "-":
        check_options((arguments[0],), arguments[1:])


def check_options(program: tuple[str, ...], arguments: list[str]) -> None:
    """Look up the options that are given in the program's help."""
    for option in (each.partition("=")[0] for each in arguments if re.match(r"--?[a-z]", each)):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", help_of(program)), f"{' '.join(program)} {option}"


@cache
def help_of(program: tuple[str, ...]) -> str:
    """Return what a program of Python prints for ``--help``."""
    done = subprocess.run(
        [sys.executable, *program, "--help"], cwd=ROOT, env=untraced(), capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("airflow dags triger x", "invalid choice"),
        ("airflow dags trigger --config '{}' dli_export_flink_jobs", "unrecognized arguments"),
        ("airflow dags trigger no_such_dag", "assert"),
        ("make nothing", "nothing"),
        ("python -m dli_emulator --no-such-option", "--no-such-option"),
        ("pip install --no-such-option x", "--no-such-option"),
        ("export AIRFLOW__CORE__NO_SUCH=1", r"\[core\] no_such"),
        ("kubectl get pods", "kubectl: unknown"),
        ('export AIRFLOW_CONN_X=\'{"conn_type": "dli", "extra": {"regoin": "x"}}\'', "regoin"),
    ],
)
def test_a_wrong_command_is_noticed(command: str, reason: str, dli_emulator: Emulator, capfd: Any) -> None:
    """So that the tests above can fail."""
    (words,) = commands(command)
    with pytest.raises((Exception, SystemExit)) as raised:
        check_command(words, dli_emulator)
    assert re.search(reason, f"{raised.value!r} {capfd.readouterr().err} assert")
