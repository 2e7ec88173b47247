"""Webhooks that come in: who sent them, and what their payloads say. Pure."""
