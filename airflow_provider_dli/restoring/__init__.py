"""Bring jobs back from archives, and prove that they came back as they were."""
