"""Addresses of the console. Only those that two sources agree on; no deep link to a Flink job was found."""

from __future__ import annotations

from urllib.parse import quote


def obs_bucket(console: str, region: str, bucket: str) -> str:
    """Give the address of the list of a bucket's objects.

    :param console: base URL of the console
    :param region: region id
    :param bucket: name of the bucket
    """
    return f"{console}/console/?region={quote(region)}#/obs/manage/{quote(bucket, safe='')}/object/list"


def dli(console: str, region: str) -> str:
    """Give the address of DLI's own page in a region.

    :param console: base URL of the console
    :param region: region id
    """
    return f"{console}/dli/?region={quote(region)}"
