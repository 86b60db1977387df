"""What a user reads when something cannot be used: field, problem and remedy, word by word.

The table is ``tests/golden/refusals.json``; ``python -m tests.client.test_refusals`` writes it again. Read its
diff before you commit: somebody will read it at night.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli import connection
from airflow_provider_dli.client import flink, locations
from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.flink.fields import checked_string, object_of, objects_of
from airflow_provider_dli.client.transport import checked_ca_bundle, parse_proxy
from airflow_provider_dli.connection import fields

GOLDEN = Path(__file__).parents[1] / "golden" / "refusals.json"
#: without their types, which would not let wrong values through
SQL_JOB: Any = flink.create_sql_job
GRAPH: Any = flink.create_sql_job_graph
TEXT: Any = "a"

#: each is refused
CASES: dict[str, Callable[[], object]] = {
    "region with a space": lambda: fields.checked_region("cn north"),
    "long region": lambda: fields.checked_region("x" * 90),
    "project with a slash": lambda: connection.checked_project("a/b"),
    "long project": lambda: connection.checked_project("x" * 90),
    "endpoint with a path": lambda: fields.checked_endpoint("endpoint", "https://h/a"),
    "endpoint with a query": lambda: fields.checked_endpoint("endpoint", "https://h?a"),
    "endpoint with a user": lambda: fields.checked_endpoint("endpoint", "https://u:p@h"),
    "endpoint with a space": lambda: fields.checked_endpoint("endpoint", "https://h h"),
    "long endpoint with a space": lambda: fields.checked_endpoint("endpoint", "https://" + "h " * 120),
    "endpoint beyond ASCII": lambda: fields.checked_endpoint("endpoint", "https://hä"),
    "endpoint with a line break": lambda: fields.checked_endpoint("endpoint", "https://h\n"),
    "endpoint with a wrong port": lambda: fields.checked_endpoint("endpoint", "https://h:x"),
    "endpoint with port 0": lambda: fields.checked_endpoint("endpoint", "https://h:0"),
    "endpoint without a scheme": lambda: fields.checked_endpoint("endpoint", "h.example"),
    "endpoint without a host": lambda: fields.checked_endpoint("endpoint", "https://"),
    "endpoint of ftp": lambda: fields.checked_endpoint("endpoint", "ftp://h"),
    "endpoint with secrets and a space": lambda: fields.checked_endpoint("endpoint", "https://u:p@h h"),
    "proxy with a path": lambda: parse_proxy("proxy", "http://u:p@h:1/a"),
    "proxy with a query": lambda: parse_proxy("proxy", "http://h:1?a"),
    "proxy with a fragment": lambda: parse_proxy("proxy", "http://h:1#a"),
    "proxy of socks": lambda: parse_proxy("proxy", "socks5://u:p@h:1"),
    "proxy with secrets and no port": lambda: parse_proxy("proxy", "http://u:p@h:port"),
    "bundle that is not there": lambda: checked_ca_bundle("ca_bundle", "/no/such/file"),
    "long bundle": lambda: checked_ca_bundle("ca_bundle", "/no/" + "x" * 220),
    "directory of nothing": lambda: locations.parse_directory("obs_dir", "  "),
    "directory that is a number": lambda: locations.parse_directory("obs_dir", 7),
    "directory of s3": lambda: locations.parse_directory("obs_dir", "s3://bucket/a"),
    "directory in a bad bucket": lambda: locations.parse_directory("obs_dir", "Bucket/a"),
    "directory in a bucket with two dots": lambda: locations.parse_directory("obs_dir", "buc..ket/a"),
    "directory with an empty one": lambda: locations.parse_directory("obs_dir", "bucket/a//b"),
    "directory with dots": lambda: locations.parse_directory("obs_dir", "bucket/../b"),
    "directory with a control character": lambda: locations.parse_directory("obs_dir", "bucket/a\x7fb"),
    "directory with half a character": lambda: locations.parse_directory("obs_dir", "bucket/a\ud800b"),
    "directory that is too long": lambda: locations.parse_directory("obs_dir", "bucket/" + "ä" * 513),
    "archive of nothing": lambda: locations.parse_archive("zip_file", ""),
    "archive that is a bucket": lambda: locations.parse_archive("zip_file", "bucket/"),
    "archive in a bad bucket": lambda: locations.parse_archive("zip_file", "b/a.zip"),
    "archive that is none": lambda: locations.parse_archive("zip_file", None),
    "archive of https": lambda: locations.parse_archive("zip_file", "https://h/a.zip"),
    "archive with a control character": lambda: locations.parse_archive("zip_file", "bucket/a\x1fb"),
    "export of no job": lambda: flink.export_jobs("bucket", []),
    "export of a text": lambda: flink.export_jobs("bucket", TEXT),
    "export to nowhere": lambda: flink.export_jobs(""),
    "import of a bucket": lambda: flink.import_jobs("bucket"),
    "import of nothing": lambda: flink.import_jobs(""),
    "run of no job": lambda: flink.run_jobs([]),
    "stop of no job": lambda: flink.stop_jobs([]),
    "delete of no job": lambda: flink.delete_jobs([]),
    "delete of job 0": lambda: flink.delete_job(0),
    "show of job -1": lambda: flink.show_job(-1),
    "graph of job 0": lambda: flink.show_execution_graph(0),
    "graph of a text of job 0": lambda: GRAPH(0, "select 1"),
    "graph of no text": lambda: GRAPH(1, " "),
    "graph of a long text": lambda: GRAPH(1, "x" * 1048577),
    "graph with an odd setting": lambda: GRAPH(1, "a", odd=1),
    "savepoint of job 0": lambda: flink.trigger_savepoint(0),
    "savepoint to nowhere": lambda: flink.trigger_savepoint(1, ""),
    "savepoint of job 0 from a place": lambda: flink.import_savepoint(0, "bucket/s"),
    "savepoint from nowhere": lambda: flink.import_savepoint(1, ""),
    "template without a name": lambda: flink.create_template(""),
    "template with a long name": lambda: flink.create_template("x" * 65),
    "template with a long desc": lambda: flink.create_template("x", desc="x" * 513),
    "template with a long text": lambda: flink.create_template("x", sql_body="x" * 10001),
    "template with an empty text": lambda: flink.create_template("x", sql_body=""),
    "change of template 0": lambda: flink.update_template(0),
    "change of a name to nothing": lambda: flink.update_template(1, name=""),
    "change to a long name": lambda: flink.update_template(1, name="x" * 65),
    "delete of template 0": lambda: flink.delete_template(0),
    "job without a name": lambda: SQL_JOB(""),
    "job with a long name": lambda: flink.create_jar_job("x" * 58),
    "change of job 0": lambda: flink.update_sql_job(0, desc="a"),
    "change of JAR job 0": lambda: flink.update_jar_job(0, desc="a"),
    "setting that is none": lambda: SQL_JOB("a", odd=1),
    "number that is a text": lambda: SQL_JOB("a", cu_number="2"),
    "truth that is a number": lambda: SQL_JOB("a", log_enabled=1),
    "text that is a number": lambda: SQL_JOB("a", desc=1),
    "number that is a truth": lambda: SQL_JOB("a", cu_number=True),
    "long description": lambda: SQL_JOB("a", desc="x" * 2049),
    "long queue": lambda: SQL_JOB("a", queue_name="x" * 129),
    "checkpoint mode 3": lambda: SQL_JOB("a", checkpoint_mode=3),
    "checkpoint mode never": lambda: SQL_JOB("a", checkpoint_mode="never"),
    "text that is none": lambda: checked_string("name", None, 5),
}


def words(call: Callable[[], object]) -> list[str]:
    """Return field, problem and remedy of the refusal."""
    try:
        call()
    except ConfigurationError as error:
        return [error.field, error.problem, error.remedy]
    raise AssertionError("not refused")


def table() -> dict[str, list[str]]:
    """Return the whole table."""
    return {case: words(call) for case, call in CASES.items()}


@pytest.mark.parametrize("case", CASES)
def test_the_messages(case: str) -> None:
    """Exactly those of the table."""
    assert words(CASES[case]) == json.loads(GOLDEN.read_text(encoding="utf-8"))[case]


@pytest.mark.parametrize("taken", ["x" * 57, "x"])
def test_the_longest_that_is_taken(taken: str) -> None:
    """Limits are the manual's, to the character."""
    assert SQL_JOB(taken).body == {"name": taken}
    assert flink.create_template("x" * 64, desc="x" * 512, sql_body="x" * 10000).body
    assert flink.create_template("x", desc="").body == {"name": "x", "desc": ""}
    assert SQL_JOB("a", desc="x" * 2048, queue_name="x" * 128).body
    assert GRAPH(1, "x" * 1048576).body
    assert locations.parse_directory("obs_dir", "bucket/x" + "ä" * 511).key == "x" + "ä" * 511


def test_replies_that_lack_something() -> None:
    """The message has its name and the value in its place."""
    with pytest.raises(TypeError, match=r"^job_detail should be an object and is \[\]$"):
        object_of({"job_detail": []}, "job_detail")
    for found in ({"a": 1}, [1], [{}, 1], "text"):
        with pytest.raises(TypeError) as raised:
            objects_of({"jobs": found}, "jobs")
        assert str(raised.value) == f"jobs should be a list of objects and is {found!r}"


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(table(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
