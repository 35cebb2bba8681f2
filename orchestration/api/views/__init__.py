"""One class per address, grouped by resource."""
