"""How something of this package goes: it warns first, for as long as docs/versions.md says."""

from __future__ import annotations

import warnings

#: frames between the warning and the line that is to be shown: this function, and whatever is deprecated
_CALLER = 3


def warn_deprecated(what: str, instead: str, *, removal: str, stacklevel: int = _CALLER) -> None:
    """Warn that something goes, with Airflow's own category, so that Airflow's filters and reports know it.

    To be called first thing in what is deprecated; the warning shows the line that used it. For classes and
    functions as a whole add ``typing_extensions.deprecated``, which editors and type checkers show.

    :param what: what goes, as its user wrote it: ``DliHook.old_name()`` or ``the parameter 'old'``
    :param instead: what to use: ``DliHook.new_name()``
    :param removal: the version that has it no longer: a major one, such as ``2.0.0``
    :param stacklevel: frames up to the line of the user; one more for each function in between
    :raises ValueError: if ``removal`` is no major version
    """
    from airflow.exceptions import AirflowProviderDeprecationWarning  # noqa: PLC0415 -- rarely needed

    major, _, rest = removal.partition(".")
    if not major.isdecimal() or rest != "0.0":
        raise ValueError(f"removal: {removal!r} is no major version; only such a one takes something away")
    message = f"{what} is deprecated and goes in airflow-provider-dli {removal}; use {instead}."
    warnings.warn(message, AirflowProviderDeprecationWarning, stacklevel=stacklevel)
