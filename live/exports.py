"""The questions that export into a scratch folder, and clear it up."""

from __future__ import annotations

import posixpath
import time
from dataclasses import dataclass, field
from typing import Any

from archives import Archive, timing
from points import Outcome, Question, Result, skipped
from reading import NO_JOB, count_of, jobs_of, proof
from sending import Response, Sender

from airflow_provider_dli.client.call import Call
from airflow_provider_dli.client.flink.fields import JOBS
from airflow_provider_dli.client.locations import parse_archive
from airflow_provider_dli.hooks.obs import ObsHook

_MANY = 1000
_PAGE = 100
#: seconds that an archive may take to appear
_APPEARS = 60


class RefusedExportError(ValueError):
    """The export was refused, so there is no archive."""


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
    first: str | None = None

    def questions(self) -> list[Question]:
        """Return the questions."""
        other_region = "export by hand into a bucket of another region, and send status, code and message"
        return [
            Question(1, "what is in an archive of all jobs", self.layout),
            Question(15, "ETag, encryption and file system", self.etag),
            Question(16, "an export of one job", self.duration),
            Question(2, "how many archives an export of all jobs gives", self.archives),
            Question(3, "forms of obs_dir", self.forms),
            skipped(3, "a bucket of another region", other_region),
            Question(4, f"an export of as many ids as there are jobs, up to {_MANY}", self.many),
            Question(5, "an id that is not there, alone and beside one that is", self.unknown_ids),
            Question(5, "a bucket that is not there", self.no_bucket),
        ]

    def export(self, obs_dir: str, ids: list[int] | None = None, sender: Sender | None = None) -> Response:
        """Export, as the words stand: the client's own checks would not let odd forms through.

        :param obs_dir: the place as it is sent
        :param ids: of jobs; None for all
        :param sender: of another user; None for that of the connection
        """
        body: dict[str, Any] = {"obs_dir": obs_dir, "is_selected": ids is not None}
        if ids is not None:
            body["job_selected"] = ids
        response = (sender or self.sender).send(Call("ExportFlinkJobs", "POST", f"{JOBS}/export", dict, body=body))
        if response.taken:
            self.written += zips(response)
        return response

    def layout(self) -> Result:
        """Inspect the first archive of an export of all jobs."""
        return self._archive().layout()

    def etag(self) -> Result:
        """Compare its ETag with its bytes."""
        return self._archive().etag()

    def _archive(self) -> Archive:
        if self.first is None:
            response = self.export(f"{self.folder}/layout")
            if not response.taken:
                raise RefusedExportError
            self.first = zips(response)[0]
        return Archive(self.obs, self.first, self.names())

    def duration(self) -> Result:
        """Export one job and check for its archive at once, then until it is there."""
        one = [self._one()]
        began = time.monotonic()
        response = self.export(f"{self.folder}/duration", one)
        seconds = time.monotonic() - began
        if not response.taken:
            return Outcome.FAILED, "the export was refused", proof(self.sender, response)
        place = parse_archive("zip_file", zips(response)[0])
        responded = response.time or time.time()
        result, evidence = timing(lambda: self.obs.find(place), seconds, responded)
        appeared = time.monotonic() - began
        while not self.obs.find(place) and appeared < _APPEARS:
            time.sleep(1)
            appeared = time.monotonic() - began
        if not evidence["there"]:
            result += f", there after {appeared:.0f} s" if appeared < _APPEARS else f", nor within {_APPEARS} s"
        return Outcome.DECIDED, result, evidence

    def of_user(self, user: Sender) -> Result:
        """Export all jobs as another user, and compare with what that user lists.

        :param user: sender of a connection of that user
        """
        listed = {str(job["job_id"]) for job in self._jobs(user)}
        everything = self.names()
        response = self.export(f"{self.folder}/user", sender=user)
        if not response.taken:
            return Outcome.DECIDED, f"lists {len(listed)} jobs; export refused", proof(user, response)
        archive = Archive(self.obs, zips(response)[0], everything) if zips(response) else None
        found = set[str]() if archive is None else archive.found(archive.report())
        if found is None:
            return Outcome.SEEN, f"lists {len(listed)} of {len(everything)} jobs; layout not known", {}
        others = f"{len(found - listed)} of them not in its list"
        result = f"lists {len(listed)} of {len(everything)} jobs, exports {len(found)}, {others}"
        return Outcome.DECIDED, result, {"listed": len(listed), "exported": len(found), "of": len(everything)}

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

    def names(self) -> dict[str, str]:
        """Return id and name of each job that the connection lists."""
        return {str(job["job_id"]): str(job["name"]) for job in self._jobs()}

    def _jobs(self, sender: Sender | None = None) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = []
        while len(jobs) < _MANY and (page := jobs_of((sender or self.sender).get(limit=_PAGE, offset=len(jobs)))):
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
