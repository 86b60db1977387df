"""Templates of SQL jobs. Their ``is_success`` is a boolean in every edition."""

from __future__ import annotations

from dli_emulator.call import Call, done_with_boolean, field, id_of, text_field
from dli_emulator.dli.definitions import checked_tags
from dli_emulator.state import Template
from dli_emulator.wire import Refusal, Reply

_NAME, _DESC, _SQL = 64, 512, 10_000
#: most templates of a user
MOST = 100
_DEFAULT_LIMIT = "10"
_MOST_LISTED = 100
_TYPES = ("flink_sql_job", "flink_opensource_sql_job")


async def create_template(call: Call) -> Reply:
    """Create a template (dli_02_0245). INVENTED: the code for one too many."""
    body = call.json_object()
    name = text_field(body, "name", _NAME)
    if not name:
        raise Refusal(400, "DLI.18006", "The template name must not be empty.")
    if len(call.project.templates) >= MOST:
        raise Refusal(400, "DLI.1028", f"There are {MOST} templates already.")
    job_type = field(body, "job_type", str) or _TYPES[0]
    if job_type not in _TYPES:
        raise Refusal(400, "DLI.0001", f"The job_type {job_type!r} is none of {', '.join(_TYPES)}.")
    checked_tags(body)
    template = Template(
        call.state.next_id(),
        name,
        text_field(body, "desc", _DESC) or "",
        text_field(body, "sql_body", _SQL) or "",
        job_type,
        call.state.stamp(),
    )
    call.project.templates[template.template_id] = template
    shown = template.shown()
    names = ("template_id", "name", "desc", "create_time", "job_type")
    return done_with_boolean("", template={name: shown[name] for name in names})


async def update_template(call: Call) -> Reply:
    """Change a template (dli_02_0246)."""
    template, body = _of_path(call, "DLI.1205"), call.json_object()
    for name, longest in (("name", _NAME), ("desc", _DESC), ("sql_body", _SQL)):
        value = text_field(body, name, longest)
        if value is not None:
            setattr(template, name, value)
    template.update_time = call.state.stamp()
    return done_with_boolean("The template is updated successfully.")


async def delete_template(call: Call) -> Reply:
    """Delete a template (dli_02_0247)."""
    template = _of_path(call, "DLI.18005")
    del call.project.templates[template.template_id]
    return done_with_boolean(
        "The template is deleted successfully.", template={"template_id": template.template_id}
    )


async def list_templates(call: Call) -> Reply:
    """List templates, newest first, by any part of the name (dli_02_0248). INVENTED: the code of a bad order."""
    query = call.query()
    limit, offset = id_of(query.get("limit", _DEFAULT_LIMIT)), id_of(query.get("offset", "0"))
    if limit is None or offset is None or limit > _MOST_LISTED:
        raise Refusal(400, "DLI.1206", "The limit or the offset is wrong.")
    if query.get("order", "desc") not in ("asc", "desc"):
        raise Refusal(400, "DLI.0001", "The order must be asc or desc.")
    fitting = [each for each in call.project.templates.values() if query.get("name", "") in each.name]
    fitting.sort(key=lambda each: each.template_id, reverse=query.get("order") != "asc")
    page = fitting[offset : offset + limit]
    return done_with_boolean(
        template_list={"total_count": len(fitting), "templates": [each.shown() for each in page]}
    )


def _of_path(call: Call, code: str) -> Template:
    text = call.path["template_id"]
    template = call.project.templates.get(id_of(text) or 0)
    if template is None:
        raise Refusal(400, code, f"The template {text} does not exist.")
    return template
