"""DLI's operations: handlers, each named after its operation, in rooms by what they are about."""
