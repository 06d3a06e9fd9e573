"""The proof: a small model trained on what was selected, and on what was not."""
