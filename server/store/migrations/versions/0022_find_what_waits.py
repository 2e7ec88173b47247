"""Find webhooks that wait, heads of a branch, CI runs of a commit and open runs of a CI run without reading the rest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None

_WAITING = sa.text("outcome = 'received'")
_OPEN_HEAD = sa.text('is_open')
_OPEN_RUN = sa.text("state = 'initialized'")


def upgrade() -> None:
    op.create_index('ix_inbound_deliveries_waiting', 'inbound_deliveries', ['sequence'], unique=False,
        sqlite_where=_WAITING, postgresql_where=_WAITING)
    op.create_index('ix_heads_newest', 'heads', ['source_id', 'event', 'told_at'], unique=False)
    op.create_index('ix_heads_open', 'heads', ['source_id', 'event', 'pull_request'], unique=False,
        sqlite_where=_OPEN_HEAD, postgresql_where=_OPEN_HEAD)
    op.drop_index('ix_ci_runs_head', table_name='ci_runs')
    op.create_index('ix_ci_runs_head', 'ci_runs', ['source_id', 'head_sha', 'ci_run_id', 'attempt'], unique=False)
    op.create_index('ix_runs_open_ci', 'workflow_runs', ['organization_id', 'ci_run_id'], unique=False,
        sqlite_where=_OPEN_RUN, postgresql_where=_OPEN_RUN)


def downgrade() -> None:
    op.drop_index('ix_runs_open_ci', table_name='workflow_runs')
    op.drop_index('ix_ci_runs_head', table_name='ci_runs')
    op.create_index('ix_ci_runs_head', 'ci_runs', ['source_id', 'head_sha'], unique=False)
    op.drop_index('ix_heads_open', table_name='heads')
    op.drop_index('ix_heads_newest', table_name='heads')
    op.drop_index('ix_inbound_deliveries_waiting', table_name='inbound_deliveries')
