"""Benchmarks of the engine on the public path; used by `manage.py bench`, by nothing else."""
