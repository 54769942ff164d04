"""Hostile bytes: what no till sends must not stop, change or swell anything.

`python -m tests.fuzz --mb 100 --seed 1` runs the seeded fuzzer; atheris_targets.py the coverage-guided one.
"""
