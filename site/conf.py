"""Sphinx's settings. The source is what build.py has laid out, see there."""

from __future__ import annotations

from airflow_provider_dli import __version__

project = "airflow-provider-dli"
author = "The airflow-provider-dli authors"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
root_doc = "docs/index"
exclude_patterns = ["LICENSE"]
suppress_warnings = ["myst.header"]  # pages read on a forge may begin with any level

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

autodoc_default_options = {"members": True, "member-order": "bysource", "exclude-members": "__init__, __new__"}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "mixed"

python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"

# Names of ours must be found; those of Python, Airflow and boto3, and aliases of types, have no pages here.
nitpick_ignore_regex = [
    ("py:class", r"[A-Z]\w*|datetime|timedelta|(collections|datetime|iam|flink|re)\..*"),
    ("py:class", r"(\w+\.)+(T|Item)"),
    ("py:class", r"dli_emulator\.(wire\.Request|flink_job\.FlinkJob)"),
    ("py:exc", r"Airflow\w*"),
]

html_theme = "furo"
html_title = f"airflow-provider-dli {__version__}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_copy_source = False
html_theme_options = {"source_repository": "", "top_of_page_buttons": []}
# Checked by `make docs LINKS=1`, which needs a network.
linkcheck_timeout = 20
linkcheck_ignore = [r"http://127\.0\.0\.1.*", r"http://localhost.*"]
