"""A small picture of the last runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_HEIGHT, _BAR, _GAP, _LABEL = 80, 22, 6, 18
_HATCH = (
    "<defs><pattern id='hatch' width='6' height='6' patternUnits='userSpaceOnUse' "
    "patternTransform='rotate(45)'><rect width='3' height='6' fill='var(--bad)'/></pattern></defs>"
)


@dataclass(frozen=True, slots=True)
class Point:
    """One run.

    :param label: when
    :param value: how much: jobs, or archives
    :param good: whether all was as it should be
    """

    label: str
    value: int
    good: bool


def picture(points: Sequence[Point]) -> str:
    """Draw the runs as bars; red ones are hatched too, for those who do not see the colour.

    :param points: oldest first
    """
    most = max([point.value for point in points] + [1])
    wide = len(points) * (_BAR + _GAP)
    bars = "".join(_bar(number, point, most) for number, point in enumerate(points))
    bad = sum(not point.good for point in points)
    told = f"The last {len(points)} runs: {bad} bad; {points[0].value} at first, {points[-1].value} now"
    size = f"width='{wide}' height='{_HEIGHT + _LABEL}' viewBox='0 0 {wide} {_HEIGHT + _LABEL}'"
    return (
        f"<h2>The last runs</h2>\n<figure><svg role='img' aria-labelledby='trend' {size}>"
        f"<title id='trend'>{escape(told)}</title>{_HATCH}{bars}</svg>"
        f"<figcaption>{escape(told)}.</figcaption></figure>"
    )


def _bar(number: int, point: Point, most: int) -> str:
    tall = max(2, round(point.value / most * _HEIGHT))
    left = number * (_BAR + _GAP)
    fill = "var(--good)" if point.good else "url(#hatch)"
    state = "good" if point.good else "bad"
    place = f"x='{left}' y='{_HEIGHT - tall}' width='{_BAR}' height='{tall}'"
    number_below = f"x='{left + _BAR / 2}' y='{_HEIGHT + 14}' font-size='11' text-anchor='middle'"
    return (
        f"<g><title>{escape(point.label)}: {point.value}, {state}</title>"
        f"<rect {place} fill='{fill}' stroke='currentColor' stroke-width='.5'/>"
        f"<text {number_below} fill='currentColor'>{point.value}</text></g>"
    )
