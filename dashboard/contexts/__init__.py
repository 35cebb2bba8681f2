"""What templates get: frozen objects that hold everything, so that a template runs no query."""
