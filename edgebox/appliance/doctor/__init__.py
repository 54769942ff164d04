"""`edgebox doctor`: what is wrong with a box, why it matters, and the command that mends it."""
