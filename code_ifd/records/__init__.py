"""What a record is: files and formats, conversations, prompts, journals. Nothing here imports torch."""
