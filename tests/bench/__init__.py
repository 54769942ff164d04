"""`python -m tests.bench`: how fast the box is, measured beside other programs in one run on one machine."""
