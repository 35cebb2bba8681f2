"""Pure rules: data in, data out; no Django, no I/O, no clock."""
