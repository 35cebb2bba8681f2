"""Why things are as they are, what a run would do, and what differs between runs: pure functions over plain facts."""
