"""What Airflow calls assets: archives and directories in OBS."""
