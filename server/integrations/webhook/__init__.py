"""Tell events to any receiver of webhooks, signed as Standard Webhooks says (T49)."""
