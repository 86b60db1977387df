"""Names that people type: locations in OBS."""

from __future__ import annotations

import pytest

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.locations import ObsLocation, parse_archive, parse_directory


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("obs-test", "obs-test"),
        ("obs-test/", "obs-test"),
        ("obs-test/dir/", "obs-test/dir"),
        ("obs://obs-test", "obs-test"),
        ("OBS://obs-test/dir1/dir2/", "obs-test/dir1/dir2"),
        ("  obs-test/a b/夜 ", "obs-test/a b/夜"),
    ],
)
def test_a_directory_is_sent_in_its_plain_form(given: str, plain: str) -> None:
    """Without scheme and without a slash at the end, however it was given."""
    place = parse_directory("obs_dir", given)
    assert str(place) == plain
    assert place.url == f"obs://{plain}"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "  ",
        "/",
        "obs://",
        "obs:///",
        "obs-test//",
        "obs-test/dir//",
        "obs://obs-test///",
        "/obs-test",
        "/obs-test/dir",
        "//obs-test/dir",
        "obs:///obs-test/dir",
        " /obs-test",
        "obs:/bucket",
        "s3://x",
        "s3://bucket/dir",
        "https://bucket.obs.cn-north-4.myhuaweicloud.com/dir",
        "Bucket",
        "ab",
        "a" * 64,
        "-abc",
        "my..bucket",
        "{{ var.value.x }}",
        "bucket//dir",
        "bucket/../other",
        "bucket/./x",
        "bucket/a\nb",
        "bucket/a\x7f",
        "bucket/\ud800",
        "bucket/" + "x" * 1025,
        None,
        7,
        ["bucket"],
    ],
)
def test_an_invalid_obs_location_is_refused(given: object) -> None:
    """The message names the field and what would be right."""
    with pytest.raises(ConfigurationError, match=r"(?s)^obs_dir: .*; \S"):
        parse_directory("obs_dir", given)


@pytest.mark.parametrize("given", ["obs-test/d/a.zip", "obs://obs-test/d/a.zip", " obs-test/d/a.zip"])
def test_an_archive_is_a_bucket_and_a_key(given: str) -> None:
    """As the export returns it, or with its scheme."""
    assert parse_archive("zip_file", given) == ObsLocation("obs-test", "d/a.zip")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "obs-test",
        "obs-test/",
        "obs://obs-test",
        "s3://b/k.zip",
        "B/k",
        None,
        3,
        "/obs-test/a.zip",
        "obs:///obs-test/a.zip",
        " /obs-test/d/a.zip",
    ],
)
def test_what_names_no_object_is_refused(given: object) -> None:
    """An archive needs a bucket and a key."""
    with pytest.raises(ConfigurationError, match=r"^zip_file: "):
        parse_archive("zip_file", given)


def test_a_location_below_a_directory() -> None:
    """Joined by a slash; in a bucket itself without one."""
    assert ObsLocation("obs-test", "dir").below("a.zip") == ObsLocation("obs-test", "dir/a.zip")
    assert ObsLocation("obs-test").below("a.zip") == ObsLocation("obs-test", "a.zip")


def test_letters_like_those_of_a_scheme_are_kept() -> None:
    """Slashes go at the ends, and nothing else."""
    assert parse_directory("obs_dir", "obs-test/XX/").key == "XX"
    assert parse_archive("zip_file", "xxb//a.zip").key == "/a.zip"
