"""Airflow's secrets masker, where each Airflow has it.

Not by way of ``airflow.providers.common.compat.sdk``, which gives it only since 1.22.0 of October 2026: nobody
should have to renew that provider for one function.
"""

from __future__ import annotations

from importlib import import_module

_PLACES = (
    "airflow.sdk.log",  # since 3.1
    "airflow.sdk.execution_time.secrets_masker",  # 3.0
    "airflow.utils.log.secrets_masker",  # 2.11
)


def mask_secret(secret: str) -> None:
    """Have Airflow mask a secret in all that is logged from now on.

    :param secret: the secret
    :raises ImportError: if this Airflow has its masker nowhere that is known
    """
    for place in _PLACES:
        try:
            masker = import_module(place).mask_secret
        except (ImportError, AttributeError):
            continue
        masker(secret)
        return
    raise ImportError(f"Airflow's mask_secret is in none of {', '.join(_PLACES)}")
