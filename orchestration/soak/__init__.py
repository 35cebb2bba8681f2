"""Real processes under real faults, and a judge: for `manage.py soak` and the tests, used by nothing else."""
