"""What a record is: files and formats, conversations, journals. Nothing here imports torch."""
