"""An hour of a shop with everything that goes wrong in one: `make soak`, `python -m tests.soak --help`.

Real processes (engine, two lines, a scanner, mosquitto, a message bus) between simulated hardware, each in a process
of its own. What is seen goes to one file as it happens (seen.py); what that comes to (verdict.py) and its picture
(picture.py) are made of that file alone, and can be made again.
"""
