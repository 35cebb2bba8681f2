"""The code that tasks run, chosen by name from the registry."""
