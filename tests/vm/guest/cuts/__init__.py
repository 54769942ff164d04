"""What runs in the guest while its power is cut: a shop at work, and a look at what is left of its record."""
