"""Stateful stand-ins for GitHub and GitLab on loopback: for the demo, for benchmarks and for tests.

They keep what they are told, answer as the forges do (states, limits, rights, texts), can be made to fail, remember
what was asked of them, and send signed webhooks. They are no product: nothing of the control plane imports them.
"""
