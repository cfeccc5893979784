"""The gateway's own endpoints, one file each."""
