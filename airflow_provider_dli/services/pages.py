"""Pages of HTML: their frame, style, charts and tables.

A page is self-contained: it loads nothing, and its policy lets no script run but the one that is passed in here,
which the browser knows by its SHA-256. Every value is escaped twice: :func:`escaped` makes each character visible,
Jinja's autoescape makes it text. A long table is JSON, out of which :data:`SCRIPT` fills it, a hundred rows at a
time; no value is HTML to it either.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from jinja2 import DictLoader, Environment
from markupsafe import Markup

from airflow_provider_dli.formatting import escaped


@dataclass(frozen=True, slots=True)
class Rows:
    """A table that the script fills.

    :param head: names of the columns, and what is in them: ``text``, ``word``, ``number``, ``link``, or ``time``
        in epoch seconds
    :param states: for the filter
    :param rows: whether it is good, its states, the address that its link leads to, and the values
    """

    name: str
    title: str
    noun: str
    head: Sequence[tuple[str, str]]
    states: Sequence[str]
    rows: Sequence[Sequence[object]]

    @property
    def data(self) -> dict[str, object]:
        """What the script reads."""
        return {"noun": self.noun, "kinds": [kind for _, kind in self.head], "rows": self.rows}


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart.

    :param label: what it stands for, for a tooltip
    :param value: its height
    :param text: the value as people read it
    """

    label: str
    value: int
    good: bool
    text: str


def render(template: str, script: str = "", **values: object) -> str:
    """Return a page.

    :param template: extends ``frame``, whose blocks are ``content`` and ``data``, and has ``page`` with title,
        verdict, good and facts; ``parts`` has macros
    :param script: the only one that runs in it
    """
    jinja = _environment().from_string(template)
    # Constants of ours, no values.
    parts = {"script": Markup(script), "style": Markup(_STYLE)}  # noqa: S704
    return jinja.render(policy=policy(script), **parts, **values)


def policy(script: str = "") -> str:
    """Return the Content-Security-Policy of a page."""
    scripts = f"script-src {_source(script)}; " if script else ""
    return f"default-src 'none'; {scripts}style-src {_source(_STYLE)}; base-uri 'none'; form-action 'none'"


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@cache
def _environment() -> Environment:
    loader = DictLoader({"frame": _FRAME, "parts": _PARTS})
    return Environment(autoescape=True, finalize=_visible, trim_blocks=True, lstrip_blocks=True, loader=loader)


def _visible(value: object) -> object:
    if isinstance(value, Markup):
        return value
    return "-" if value is None else escaped(str(value))


_STYLE = """
:root { color-scheme: light dark; --good: light-dark(#176f2c, #7ddb92); --bad: light-dark(#b3261e, #ffb4ab);
  --line: light-dark(#c4c7cc, #4a4d52); --soft: light-dark(#f4f5f7, #26282c); --page: light-dark(#fff, #121212);
  --text: light-dark(#1b1b1f, #ececee); --link: light-dark(#0b57d0, #a8c7fa); }
html { background: var(--page); color: var(--text); }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
body.wide { max-width: 100rem; font-size: 15px; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; } h3 { font-size: 1rem; }
.verdict { border-left: .4rem solid; padding: .5rem 1rem; background: var(--soft); font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); } a { color: var(--link); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }
td, tbody th { overflow-wrap: anywhere; max-width: 40rem; } thead th { white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
input, select, button { font: inherit; color: inherit; background: var(--page); border: 1px solid #77797d;
  border-radius: .25rem; padding: .25rem .6rem; }
thead button { border: 0; padding: 0; font-weight: 600; background: none; cursor: pointer; }
button[aria-disabled=true] { opacity: .45; } .nowrap { white-space: nowrap; }
[data-rows] tbody th { min-width: 13rem; } [data-rows] time { white-space: nowrap; }
.filter { display: flex; flex-wrap: wrap; gap: .6rem 1.5rem; align-items: baseline; margin: .6rem 0; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
"""

_PARTS = """\
{% macro sign(good) %}{{ "✓ good:" if good else "✗ bad:" }}{% endmacro %}

{# Bars of what failed are hatched too, for those who do not see the colour. #}
{% macro chart(bars, id, caption, step=28, top=80, texts=true) %}
{% set most = [1, bars|map(attribute="value")|max]|max %}
{% set bottom = 18 if texts else 1 %}
<svg role="img" aria-labelledby="{{ id }}" width="{{ step * bars|length }}" height="{{ top + bottom }}"
  viewBox="0 0 {{ step * bars|length }} {{ top + bottom }}"><title id="{{ id }}">{{ caption }}</title>
<defs><pattern id="{{ id }}-hatch" width="6" height="6" patternUnits="userSpaceOnUse"
  patternTransform="rotate(45)"><rect width="3" height="6" fill="var(--bad)"/></pattern></defs>
{% for bar in bars %}
{% set left, height = step * loop.index0, [2, (top * bar.value / most)|round|int]|max %}
<g><title>{{ bar.label }}: {{ bar.text }}, {{ "good" if bar.good else "bad" }}</title>
<rect x="{{ left }}" y="{{ top - height }}" width="{{ step * 11 // 14 }}" height="{{ height }}"
  fill="{{ "var(--good)" if bar.good else "url(#" ~ id ~ "-hatch)" }}" stroke="currentColor" stroke-width=".5"/>
{% if texts %}
<text x="{{ left + 11 }}" y="{{ top + 14 }}" font-size="11" text-anchor="middle" fill="currentColor">{{ bar.text }}
</text>
{% endif %}</g>
{% endfor %}
</svg>
{% endmacro %}

{% macro facts(values) %}
<dl>{% for name, value in values.items() %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}</dl>
{% endmacro %}

{# What scrolls must be reachable by keyboard, and have a name. #}
{% macro tables(tables, level=2, of="") %}
{% for table in tables %}
<h{{ level }}>{{ table.title }}</h{{ level }}>
<div class="scroll" tabindex="0" role="region" aria-label="{{ table.title }}{{ of }}"><table>
<thead><tr>{% for name in table.head %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in table.rows %}
{% set good = loop.index0 not in table.bad %}
<tr><th scope="row"><span class="{{ "good" if good else "bad" }}">{{ sign(good) }}</span> {{ row[0] }}</th>
{% for value in row[1:] %}<td>{{ value }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% endfor %}
{% endmacro %}

{% macro filled(table) %}
<section data-rows aria-labelledby="{{ table.name }}">
<h2 id="{{ table.name }}">{{ table.title }}</h2>
<noscript><p>This table needs JavaScript.</p></noscript>
<div class="filter" role="search" aria-label="{{ table.title }}" hidden>
<label>Search <input type="search" autocomplete="off"></label>
{% if table.states %}
<label>State <select><option value="">all</option>
{% for state in table.states %}<option>{{ state }}</option>{% endfor %}</select></label>
{% endif %}
<span role="status"></span>
</div>
<div class="scroll" tabindex="0" role="region" aria-label="{{ table.title }}, table"><table>
<thead><tr>{% for name, kind in table.head %}<th scope="col"><button type="button">{{ name }}</button></th>
{% endfor %}</tr></thead><tbody></tbody></table></div>
<p class="pager" hidden><button type="button">Previous</button> <button type="button">Next</button></p>
<script type="application/json">{{ table.data|tojson }}</script>
</section>
{% endmacro %}
"""

#: what fills, filters, sorts and pages tables; ASCII, so that no encoding of a page changes its hash
SCRIPT = """
"use strict";
(() => {
  const size = 100;
  // Airflow has a light and a dark theme of its own, whatever the theme of the system is.
  try {
    if (parent !== self) {
      const dark = parent.document.documentElement.classList.contains("dark");
      document.documentElement.style.colorScheme = dark ? "dark" : "light";
    }
  } catch { /* shown in a page of another site */ }

  const ago = (seconds) => {
    const minutes = Math.max(0, Math.floor((Date.now() / 1000 - seconds) / 60));
    if (minutes < 120) { return `${minutes} min ago`; }
    return minutes < 2880 ? `${Math.floor(minutes / 60)} h ago` : `${Math.floor(minutes / 1440)} days ago`;
  };
  const count = (number) => number.toLocaleString("en");
  const element = (name, text, parent) => {
    const made = document.createElement(name);
    if (text !== null) { made.textContent = text; }
    if (parent) { parent.append(made); }
    return made;
  };
  const time = (seconds, parent) => {
    const iso = new Date(seconds * 1000).toISOString();
    const made = element("time", `${iso.slice(0, 10)} ${iso.slice(11, 16)} (${ago(seconds)})`, parent);
    made.dateTime = iso;
  };
  for (const each of document.querySelectorAll("time")) {
    each.textContent += ` (${ago(Date.parse(each.dateTime) / 1000)})`;
  }

  const fill = (section) => {
    const {noun, kinds, rows} = JSON.parse(section.querySelector("script").textContent);
    const [search, state] = [section.querySelector("input"), section.querySelector("select")];
    const [body, status] = [section.querySelector("tbody"), section.querySelector("[role=status]")];
    const [before, after] = section.querySelectorAll(".pager button");
    const heads = [...section.querySelectorAll("thead th")];
    const texts = rows.map((row) => row.slice(3).filter((cell) => cell !== null).join(" ").toLowerCase());
    const collator = new Intl.Collator("en", {numeric: true});
    let [first, column, direction] = [0, -1, 1];

    const matching = () => {
      const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
      const found = rows.filter((row, number) => (!state || !state.value || row[1].includes(state.value))
        && words.every((word) => texts[number].includes(word)));
      if (column < 0) { return found; }
      return found.sort((left, right) => {
        const [a, b] = [left[column + 3], right[column + 3]];
        if (a === null || b === null) { return (a === null) - (b === null); }
        return direction * (typeof a === "number" ? a - b : collator.compare(a, b));
      });
    };
    const show = () => {
      const found = matching();
      if (first >= found.length) { first = 0; }
      const page = found.slice(first, first + size);
      body.replaceChildren(...page.map(([good, , address, ...cells]) => {
        const line = document.createElement("tr");
        cells.forEach((cell, number) => {
          const place = element(number ? "td" : "th", null, line);
          if (!number) {
            place.scope = "row";
            element("span", good ? "\\u2713 good: " : "\\u2717 bad: ", place).className = good ? "good" : "bad";
          }
          if (kinds[number] !== "text") { place.className = "nowrap"; }
          if (cell === null) {
            place.append("-");
          } else if (kinds[number] === "time") {
            time(cell, place);
          } else if (kinds[number] === "link" && address) {
            element("a", cell, place).href = address;
          } else {
            place.append(kinds[number] === "number" && number > 1 ? count(cell) : cell);
          }
        });
        return line;
      }));
      const last = first + page.length;
      const shown = page.length ? `${count(first + 1)} to ${count(last)} of ${count(found.length)}` : "no";
      status.textContent = `${shown} ${noun}`
        + (found.length < rows.length ? `, ${count(rows.length)} in all` : "");
      before.setAttribute("aria-disabled", first === 0);
      after.setAttribute("aria-disabled", last >= found.length);
      section.querySelector(".pager").hidden = found.length <= size;
    };
    const restart = () => { first = 0; show(); };
    search.addEventListener("input", restart);
    if (state) { state.addEventListener("change", restart); }
    before.addEventListener("click", () => { if (first > 0) { first -= size; show(); } });
    after.addEventListener("click", () => {
      if (after.getAttribute("aria-disabled") === "false") { first += size; show(); }
    });
    heads.forEach((head, number) => head.querySelector("button").addEventListener("click", () => {
      direction = column === number ? -direction : 1;
      column = number;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      restart();
    }));
    section.querySelector(".filter").hidden = false;
    show();
  };
  document.querySelectorAll("section[data-rows]").forEach(fill);
})();
"""

_FRAME = """\
{% import "parts" as parts %}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ page.title }}</title>
<style>{{ style }}</style>
</head>
<body{% if script %} class="wide"{% endif %}>
<main>
{% block above %}{% endblock %}
<h1>{{ page.title }}</h1>
{% if page.good is none %}
<p class="verdict">{{ page.verdict }}</p>
{% else %}
<p class="verdict {{ "good" if page.good else "bad" }}">{{ parts.sign(page.good) }} {{ page.verdict }}</p>
{% endif %}
{{ parts.facts(page.facts) }}
{% block content %}{% endblock %}
</main>
{% block data %}{% endblock %}
{% if script %}
<script>{{ script }}</script>
{% endif %}
</body>
</html>
"""
