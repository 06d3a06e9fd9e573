"""Measurements, run as PYTHONPATH=code_ifd python -m benchmarks.NAME."""
