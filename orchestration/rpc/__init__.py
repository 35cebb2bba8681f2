"""apflow's own protocol: JSON-RPC 2.0 under /apflow/, for programs written for an apflow server."""
