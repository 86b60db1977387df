"""Where archives came from and what became of them: asset events, and OpenLineage."""
