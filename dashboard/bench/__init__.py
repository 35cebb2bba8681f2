"""How fast the pages are: `manage.py bench_pages`."""
