"""The forges' stand-ins, checked: every request and answer against the published description of its API."""
