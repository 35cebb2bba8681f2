"""The REST API under /api/v1/: one more door to the services. Guide: docs/api.md."""
