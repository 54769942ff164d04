"""The kernel tier: what user space can't prove is tried in a virtual machine (`make test-vm`)."""
