"""Keep what administrators decide of heads without secrets, and whether a pull request's own branch is protected (R35)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0024'
down_revision = '0023'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('sources', sa.Column('untrusted_heads_pass', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column('sources', sa.Column('token_is_protected', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column('heads', sa.Column('is_source_protected', sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.drop_column('heads', 'is_source_protected')
    op.drop_column('sources', 'token_is_protected')
    op.drop_column('sources', 'untrusted_heads_pass')
