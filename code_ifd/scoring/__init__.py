"""From records to score lines: chunks, score files, resuming, --dtype mixed."""
