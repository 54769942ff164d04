"""What makes a Linux box of the software: its USB gadget, what is plugged in, what is wrong with it, its set-up."""
