"""What lies in a directory of OBS: objects, directories, and the objects that stand for directories."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.utils import parse_timestamp

from airflow_provider_dli.client.errors import (
    PermissionDeniedError,
    RefusedError,
)
from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.client.obs.client import parse_time
from airflow_provider_dli.client.obs.objects import Directory, Entry, has_objects, list_entries, list_keys

if TYPE_CHECKING:
    from botocore.stub import Stubber

PLACE = ObsLocation("obs-test", "dir")
BELOW = {"Bucket": "obs-test", "Prefix": "dir/"}
TIME = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


ABOUT: dict[str, Any] = {"Name": "obs-test", "Prefix": "dir/", "IsTruncated": False}


def listed(key: str) -> dict[str, Any]:
    """Return an entry of a listing."""
    return {"Key": key, "Size": 7, "ETag": f'"{key}"', "LastModified": TIME}


@pytest.mark.slow
def test_a_directory_holds_objects_and_directories(s3_client: Any, s3_script: Stubber) -> None:
    """Of every page, without the object that represents the directory itself."""
    first = ABOUT | {
        "Contents": [listed("dir/"), listed("dir/a")], "CommonPrefixes": [{"Prefix": "dir/b/"}],
        "IsTruncated": True, "NextMarker": "dir/b/",
    }  # fmt: skip
    s3_script.add_response("list_objects", first, BELOW | {"Delimiter": "/"})
    s3_script.add_response(
        "list_objects", ABOUT | {"Contents": [listed("dir/c")]}, BELOW | {"Delimiter": "/", "Marker": "dir/b/"}
    )
    assert list_entries(s3_client, PLACE) == Directory(
        ("dir/b",), (Entry("dir/a", 7, "dir/a", TIME), Entry("dir/c", 7, "dir/c", TIME))
    )


def test_a_directory_that_is_not_there(s3_client: Any, s3_script: Stubber) -> None:
    """It differs from an empty one, which an object of its name represents; a bucket may be empty without one."""
    s3_script.add_response("list_objects", ABOUT)
    assert list_entries(s3_client, PLACE) is None
    s3_script.add_response("list_objects", ABOUT | {"Contents": [listed("dir/")]})
    assert list_entries(s3_client, PLACE) == Directory((), ())
    s3_script.add_response(
        "list_objects", ABOUT | {"Prefix": ""}, {"Bucket": "obs-test", "Prefix": "", "Delimiter": "/"}
    )
    assert list_entries(s3_client, ObsLocation("obs-test")) == Directory((), ())


def test_all_keys_of_a_directory_are_listed(s3_client: Any, s3_script: Stubber) -> None:
    """At any depth, and those that stand for directories too."""
    s3_script.add_response("list_objects", ABOUT | {"Contents": [listed("dir/")], "IsTruncated": True}, BELOW)
    s3_script.add_response("list_objects", ABOUT | {"Contents": [listed("dir/a/b")]}, BELOW | {"Marker": "dir/"})
    assert list_keys(s3_client, PLACE) == ["dir/", "dir/a/b"]


def test_one_key_shows_that_there_is_a_directory(s3_client: Any, s3_script: Stubber) -> None:
    """No more are requested."""
    s3_script.add_response(
        "list_objects", ABOUT | {"Contents": [listed("dir/a")], "IsTruncated": True}, BELOW | {"MaxKeys": 1}
    )
    assert has_objects(s3_client, PLACE)
    s3_script.add_response("list_objects", ABOUT)
    assert not has_objects(s3_client, PLACE)


@pytest.mark.parametrize("list_", [list_entries, list_keys, has_objects])
def test_what_cannot_be_listed_raises_our_errors(s3_client: Any, s3_script: Stubber, list_: Any) -> None:
    """A bucket that is missing, or may not be listed."""
    s3_script.add_client_error("list_objects", "NoSuchBucket", "x", 404)
    with pytest.raises(RefusedError, match=r"^ListObjects: HTTP 404 NoSuchBucket: there is no bucket 'obs-test'"):
        list_(s3_client, PLACE)
    s3_script.add_client_error("list_objects", "AccessDenied", "no", 403)
    with pytest.raises(PermissionDeniedError, match="the permission to list the objects of this bucket"):
        list_(s3_client, PLACE)


class Listing:
    """A client whose listing has these pages."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        self.pages = pages
        self.markers: list[str] = []

    def list_objects(self, **wanted: Any) -> dict[str, Any]:
        self.markers.append(wanted.get("Marker", ""))
        at = self.markers[-1]
        number = next(n for n, page in enumerate(self.pages) if page.get("From", "") == at)
        more = (
            {"IsTruncated": True, "NextMarker": self.pages[number + 1]["From"]}
            if number + 1 < len(self.pages)
            else {}
        )
        return {"Name": wanted["Bucket"], "IsTruncated": False, **self.pages[number], **more}


def test_a_page_of_a_listing_may_have_nothing() -> None:
    """Then boto3 omits the list."""
    entry = {"Key": "d/a.zip", "Size": 1, "ETag": '"e"', "LastModified": datetime(2026, 1, 1, tzinfo=UTC)}
    client: Any = Listing(
        {}, {"From": "d/a", "Contents": [entry]}, {"From": "d/b", "CommonPrefixes": [{"Prefix": "d/b/"}]}
    )
    place = ObsLocation("obs-test", "d")
    assert list_keys(client, place) == ["d/a.zip"]
    found = list_entries(client, place)
    assert found
    assert (found.directories, [(each.key, each.etag) for each in found.objects]) == (("d/b",), [("d/a.zip", "e")])
    assert has_objects(client, place)
    assert not has_objects(Listing({}), place)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-27T04:13:48.123Z",
        "2026-02-28T23:59:59Z",
        "2026-02-30T00:00:00Z",
        "2026-11-27T04:13:48.123456789Z",
        "2026-11-27T04:13:48+08:00",
        "Fri, 27 Nov 2026 04:13:48 GMT",
        "1790000000",
        1_790_000_000,
        "",
        "yesterday",
    ],
)
def test_times_are_those_that_botocore_reads(value: Any) -> None:
    """Of every form; what is none is refused likewise."""
    outcomes: list[object] = []
    for parse in (parse_timestamp, parse_time):
        try:
            outcomes.append(parse(value))
        except ValueError as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]
