"""The answers of two models: questions, prompts, generation, and the pairs that a judge reads."""
