"""Templates of SQL jobs. Their ``is_success`` is a boolean in every edition."""

from __future__ import annotations

from airflow_provider_dli.emulator.call import Call
from airflow_provider_dli.emulator.dli.answers import field, plainly_done, text_field
from airflow_provider_dli.emulator.project import Template
from airflow_provider_dli.emulator.wire import Refusal, Reply

_NAME, _DESC, _SQL = 64, 512, 10_000
#: most templates of a user
MOST = 100
_DEFAULT_LIMIT = "10"


async def create_template(call: Call) -> Reply:
    """Create a template (dli_02_0245). INVENTED: the code for one too many."""
    body = call.json_object()
    name = text_field(body, "name", _NAME)
    if not name:
        raise Refusal(400, "DLI.18006", "The template name must not be empty.")
    if len(call.project.templates) >= MOST:
        raise Refusal(400, "DLI.1028", f"There are {MOST} templates already.")
    template = Template(
        call.world.next_id(),
        name,
        text_field(body, "desc", _DESC) or "",
        text_field(body, "sql_body", _SQL) or "",
        field(body, "job_type", str) or "flink_sql_job",
        call.world.stamp(),
    )
    call.project.templates[template.template_id] = template
    shown = template.shown()
    names = ("template_id", "name", "desc", "create_time", "job_type")
    return plainly_done("", template={name: shown[name] for name in names})


async def update_template(call: Call) -> Reply:
    """Change a template (dli_02_0246)."""
    template, body = _of_path(call, "DLI.1205"), call.json_object()
    for name, longest in (("name", _NAME), ("desc", _DESC), ("sql_body", _SQL)):
        value = text_field(body, name, longest)
        if value is not None:
            setattr(template, name, value)
    template.update_time = call.world.stamp()
    return plainly_done("The template is updated successfully.")


async def delete_template(call: Call) -> Reply:
    """Delete a template (dli_02_0247)."""
    template = _of_path(call, "DLI.18005")
    del call.project.templates[template.template_id]
    return plainly_done("The template is deleted successfully.", template={"template_id": template.template_id})


async def list_templates(call: Call) -> Reply:
    """List templates, newest first, by any part of the name (dli_02_0248)."""
    query = call.query()
    limit, offset = query.get("limit", _DEFAULT_LIMIT), query.get("offset", "0")
    if not limit.isdecimal() or not offset.isdecimal():
        raise Refusal(400, "DLI.1206", "The limit or the offset is wrong.")
    fitting = [each for each in call.project.templates.values() if query.get("name", "") in each.name]
    fitting.sort(key=lambda each: each.template_id, reverse=query.get("order") != "asc")
    page = fitting[int(offset) : int(offset) + int(limit)]
    return plainly_done(template_list={"total_count": len(fitting), "templates": [each.shown() for each in page]})


def _of_path(call: Call, code: str) -> Template:
    text = call.path["template_id"]
    template = call.project.templates.get(int(text)) if text.isascii() and text.isdecimal() else None
    if template is None:
        raise Refusal(400, code, f"The template {text} does not exist.")
    return template
