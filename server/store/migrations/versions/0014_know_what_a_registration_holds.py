"""Know what a registration's credentials are called, and what the third party said of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, empty in (('credential_names', '[]'), ('facts', '{}')):
        op.add_column('registrations', sa.Column(name, sa.Text(), server_default=sa.text(f"'{empty}'"), nullable=False))


def downgrade() -> None:
    for name in ('facts', 'credential_names'):
        op.drop_column('registrations', name)
