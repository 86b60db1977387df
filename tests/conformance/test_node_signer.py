"""Our signature against a second oracle: the signer of Huawei Cloud's SDK for Node, beside that for Python."""

from __future__ import annotations

import json
import random

import pytest

from tests.conformance.conftest import SEED, Count
from tests.conformance.signers import DEVIATIONS, INSTALLED, NODE, Case, draw, nodes, ours, pythons

MANY = 2000
SOME = 100


def test_it_is_the_version_that_the_docs_name() -> None:
    """The installed version is the one that package.json pins."""
    name = "@huaweicloud/huaweicloud-sdk-core"
    pinned = json.loads((NODE / "package.json").read_text(encoding="utf-8"))["dependencies"][name]
    installed = json.loads((INSTALLED / "node_modules" / name / "package.json").read_text(encoding="utf-8"))
    assert installed["version"] == pinned


def test_three_signers_write_the_same(count_differences: Count) -> None:
    """Method, path, repeated and empty query values, headers, JSON and bytes, security tokens: 0 disagreements."""
    chance = random.Random(SEED)
    cases = [draw(chance) for _ in range(MANY)]
    different = [
        case for case, node in zip(cases, nodes(cases), strict=True) if not ours(case) == pythons(case) == node
    ]
    count_differences("signatures differ between ours, Node's and Python's", MANY, len(different))
    assert different == []
    _assert_all_kinds_occur(cases)


def _assert_all_kinds_occur(cases: list[Case]) -> None:
    """Check that the sample has the cases that make the test significant."""
    query = ["".join(name + value for name, value in case.pairs) for case in cases]
    for character in "% +~/&=作🙂":
        assert sum(character in each for each in query) > SOME, character
    assert sum(len({name for name, _ in case.pairs}) < len(case.pairs) for case in cases) > SOME
    assert sum(any(not value for _, value in case.pairs) for case in cases) > SOME
    assert sum(not case.path.isascii() for case in cases) > SOME
    assert sum("%" in case.path for case in cases) > SOME
    assert sum("//" in case.path for case in cases) > SOME
    assert sum(bool(case.key.security_token) for case in cases) > SOME
    assert sum(bool(case.raw) for case in cases) > SOME
    assert sum(case.body is not None for case in cases) > SOME


@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_where_the_official_signers_disagree_ours_is_with_pythons(
    deviation: str, count_differences: Count
) -> None:
    """Known by name: each such request is signed by Node's otherwise than by Python's."""
    chance = random.Random(SEED)
    cases = [DEVIATIONS[deviation](draw(chance), chance) for _ in range(SOME)]
    apart = sum(pythons(case) != node for case, node in zip(cases, nodes(cases), strict=True))
    count_differences(f"signatures differ, Node's from Python's and ours: {deviation}", SOME, apart)
    assert apart == SOME
    assert [ours(case) for case in cases] == [pythons(case) for case in cases]
