"""What a task does, without its operator: each module reads from top to bottom."""
