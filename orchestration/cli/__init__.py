"""apflowctl: the command line. A client of the REST API that needs neither Django nor the database."""
