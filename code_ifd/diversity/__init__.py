"""Choosing records that differ: embeddings, near duplicates, facility location."""
