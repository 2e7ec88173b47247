"""The limited child process of R11: documents of tenants are parsed there, never in a process that serves."""
