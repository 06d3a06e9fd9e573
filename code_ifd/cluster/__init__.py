"""Step 1 on many workers: the driver, and Ray."""
