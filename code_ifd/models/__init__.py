"""Which model a name means, loading it, and running it on batches of token sequences."""
