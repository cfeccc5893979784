"""Measures the gateway beside its references and peers: one machine, one run, the same load for all."""
