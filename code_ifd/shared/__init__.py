"""What every part stands on and none of records: how scripts fail and stop, files, locks, texts for people."""
