"""What a server loads before it forks is in each of its processes: nothing that it does not use."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
UNUSED = (
    "alembic",
    "mako",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.orm",
    "requests",
    "urllib3",
    "github",
    "gitlab",
)
PROGRAM = f"""
import os, sys
from server.admin.data_folder import make_database_apart, prepare
from server.admin.serve import _Server
from server.config import ServerConfig
config = ServerConfig.from_environment(os.environ)
make_database_apart(config)
prepare(config)
_Server(config, 0, print).load()
print([name for name in {UNUSED!r} if name in sys.modules])
"""


def test_a_fresh_server_loads_nothing_that_it_does_not_use(tmp_path):
    env = {"PATH": os.environ["PATH"], "CHAINLOOP_DATA": str(tmp_path / "data"), "PYTHONPATH": str(PROJECT)}

    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, cwd=tmp_path)

    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
