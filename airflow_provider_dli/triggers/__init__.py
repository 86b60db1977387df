"""Triggers: they wait and report facts; tasks decide."""
