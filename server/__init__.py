"""The control plane: checks every attestation again, stores it, shows it."""
