"""Asking the judge: requests, the client, what is paid for, and the journal of answers."""
