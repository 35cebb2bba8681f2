#!/usr/bin/env python3
"""Django's entry point; outside a virtual environment it first prepares one (apflow_site/bootstrap.py)."""

import os
import sys

from apflow_site.bootstrap import bootstrap


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apflow_site.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is missing in this environment: run `deactivate`, or `pip install -r requirements.lock`.")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    bootstrap(__file__)
    main()
