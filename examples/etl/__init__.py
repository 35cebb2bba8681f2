"""A small application that adds executors: how one's own code becomes a task. See executors.py."""
