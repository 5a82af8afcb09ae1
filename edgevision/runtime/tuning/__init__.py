"""Which model of a bundle is fastest on this machine: in which engine, on what and with how many threads."""
