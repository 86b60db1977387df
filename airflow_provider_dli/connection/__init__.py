"""The Airflow connection of type ``dli``: its fields and form, and the account that it gives.

No I/O and no Airflow: anything with the attributes of an Airflow connection will do.
"""
