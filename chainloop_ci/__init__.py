"""Chainloop: craft, sign and store the attestation of a CI run against a contract."""

__version__ = "0.1.0"
