"""Backups of Flink jobs: a catalogue in OBS of what was exported and verified, and all that is done with it.

The catalogue lives beside the archives, so it survives the loss of Airflow. See ``docs/backups.md``.
"""
