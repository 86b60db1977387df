"""The questions that export into a scratch folder, and clear it up."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from points import Outcome, Question, Result, skipped
from reading import NO_JOB, count_of, jobs_of, proof
from sending import Response, Sender

from airflow_provider_dli.client.call import Call
from airflow_provider_dli.client.flink.fields import JOBS
from airflow_provider_dli.client.locations import parse_archive
from airflow_provider_dli.hooks.obs import ObsHook

_MANY = 1000
_PAGE = 100


@dataclass
class Exports:
    """Exports into one folder of its own, and remembers what was written.

    :param sender: of an account with jobs
    :param obs: of the same connection
    :param folder: ``bucket/prefix/run``, empty
    :param nowhere: name of a bucket that does not exist
    """

    sender: Sender
    obs: ObsHook
    folder: str
    nowhere: str
    written: list[str] = field(default_factory=list)

    def questions(self) -> list[Question]:
        """Return the questions."""
        other_region = "export by hand into a bucket of another region, and send status, code and message"
        return [
            Question(1, "what is in an archive of all jobs", self.layout),
            Question(2, "how many archives an export of all jobs gives", self.archives),
            Question(3, "forms of obs_dir", self.forms),
            skipped(3, "a bucket of another region", other_region),
            Question(4, f"an export of as many ids as there are jobs, up to {_MANY}", self.many),
            Question(5, "an id that is not there, alone and beside one that is", self.unknown_ids),
            Question(5, "a bucket that is not there", self.no_bucket),
        ]

    def export(self, obs_dir: str, ids: list[int] | None = None) -> Response:
        """Export, as the words stand: the client's own checks would not let odd forms through.

        :param obs_dir: the place as it is sent
        :param ids: of jobs; None for all
        """
        body: dict[str, Any] = {"obs_dir": obs_dir, "is_selected": ids is not None}
        if ids is not None:
            body["job_selected"] = ids
        response = self.sender.send(Call("ExportFlinkJobs", "POST", f"{JOBS}/export", dict, body=body))
        if response.taken:
            self.written += zips(response)
        return response

    def layout(self) -> Result:
        """Inspect the archives of an export of all jobs."""
        response = self.export(f"{self.folder}/layout")
        if not response.taken:
            return Outcome.FAILED, "the export was refused", proof(self.sender, response)
        jobs = {str(job["job_id"]): str(job["name"]) for job in self._jobs()}
        found: Counter[str] = Counter()
        for archive in zips(response):
            place = parse_archive("zip_file", archive)
            facts = self.obs.find(place)
            if facts is None:
                return Outcome.DECIDED, "the response names an archive that is not (yet) there", {}
            with self.obs.open(place, facts) as opened, zipfile.ZipFile(opened) as content:
                found.update(_form(info, jobs) for info in content.infolist())
        return Outcome.DECIDED, "; ".join(f"{count} x {form}" for form, count in found.items()), dict(found)

    def archives(self) -> Result:
        """Count the archives of an export of all jobs."""
        response = self.export(f"{self.folder}/archives")
        if not response.taken:
            return Outcome.FAILED, "the export was refused", proof(self.sender, response)
        total = count_of(self.sender.get(limit=1))
        kinds = len({str(job["job_type"]) for job in self._jobs()})
        count = len(zips(response))
        outcome = Outcome.DECIDED if count > 1 else Outcome.SEEN
        return outcome, f"{count} for {total} jobs of {kinds} kinds", {"archives": count, "jobs": total}

    def forms(self) -> Result:
        """Try forms of a place that is allowed, one job each."""
        one = [self._one()]
        forms = {
            "bucket/a/b": f"{self.folder}/forms/a",
            "bucket/a/b/": f"{self.folder}/forms/b/",
            "obs://bucket/a/b": f"obs://{self.folder}/forms/c",
            "/bucket/a/b": f"/{self.folder}/forms/d",
            "bucket/a//b": f"{self.folder}/forms//e",
        }
        found: dict[str, Any] = {}
        for form, obs_dir in forms.items():
            response = self.export(obs_dir, one)
            found[form] = proof(self.sender, response)
            if response.taken:
                (place, *_) = zips(response)
                inside = posixpath.dirname(place) == obs_dir.removeprefix("obs://").strip("/")
                found[form]["archive"] = "where it was requested" if inside else "elsewhere"
        taken = [form for form, facts in found.items() if "archive" in facts]
        return Outcome.DECIDED, f"taken: {', '.join(taken) or 'none'}", found

    def many(self) -> Result:
        """Export by a list of as many ids as there are."""
        ids = list(dict.fromkeys(int(job["job_id"]) for job in self._jobs()))
        response = self.export(f"{self.folder}/many", ids)
        verb = "taken" if response.taken else "refused"
        return Outcome.SEEN, f"{len(ids)} ids: {verb}", proof(self.sender, response) | {"ids": len(ids)}

    def unknown_ids(self) -> Result:
        """Export a job that is not there, alone and beside one that is."""
        one = self._one()
        alone = self.export(f"{self.folder}/unknown", [NO_JOB])
        beside = self.export(f"{self.folder}/partly", [one, NO_JOB])
        evidence = {
            "alone": proof(self.sender, alone),
            "beside one that is": proof(self.sender, beside),
        }
        result = "; ".join(
            f"{name}: {'exported' if response.taken else 'refused'}"
            for name, response in zip(evidence, (alone, beside), strict=True)
        )
        return Outcome.DECIDED, result, evidence

    def no_bucket(self) -> Result:
        """Export into a bucket that is not there."""
        response = self.export(f"{self.nowhere}/x", [self._one()])
        verb = "exported" if response.taken else "refused"
        return (
            Outcome.DECIDED,
            f"{verb}: {response.status} {response.code or ''}",
            proof(self.sender, response),
        )

    def _jobs(self) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = []
        while len(jobs) < _MANY and (page := jobs_of(self.sender.get(limit=_PAGE, offset=len(jobs)))):
            jobs += page
        return jobs[:_MANY]

    def _one(self) -> int:
        return int(jobs_of(self.sender.get(limit=1))[0]["job_id"])

    def clear_up(self) -> int:
        """Delete what this run wrote, and nothing else; how many objects there were."""
        bucket, _, prefix = self.folder.partition("/")
        client = self.obs.get_conn()
        pages = client.get_paginator("list_objects").paginate(Bucket=bucket, Prefix=f"{prefix}/")
        listed = {each["Key"] for page in pages for each in page.get("Contents", [])}
        run = posixpath.basename(prefix)
        named = {place.partition("/")[2] for place in self.written if place.startswith(f"{bucket}/")}
        keys = listed | {key for key in named if f"/{run}/" in f"/{key}"}
        for key in keys:
            client.delete_object(Bucket=bucket, Key=key)
        return len(keys)


def zips(response: Response) -> list[str]:
    """Read the archives that an export names."""
    named = response.body.get("zip_file") or []
    return [named] if isinstance(named, str) else [str(each) for each in named]


def _form(info: zipfile.ZipInfo, jobs: dict[str, str]) -> str:
    """Return the form of an entry: its name without what is somebody's own, and how it is stored."""
    folder, name = posixpath.split(info.filename)
    stem, extension = posixpath.splitext(name)
    if stem in jobs:
        stem = "{job_id}"
    elif stem in jobs.values():
        stem = "{job name}"
    elif stem:
        stem = "{other}"
    if not re.fullmatch(r"(\.[a-z]{1,5})?", extension):
        extension = "{extension}"
    depth = "{folder}/" * len([part for part in folder.split("/") if part])
    how = {0: "stored", 8: "deflated"}.get(info.compress_type, f"method {info.compress_type}")
    return f"{depth}{stem}{extension} {how}"
