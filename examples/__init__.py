"""Sample trees, and the executors that they use."""
