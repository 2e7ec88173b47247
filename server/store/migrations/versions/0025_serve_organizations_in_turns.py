"""Find whose events and webhooks wait without reading all that wait."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0025'
down_revision = '0024'
branch_labels = None
depends_on = None

_NEW = sa.text('fanned_out_at IS NULL')
_WAITING = sa.text("outcome = 'received'")


def upgrade() -> None:
    _index('organization_id', 'sequence')


def downgrade() -> None:
    _index('sequence')


def _index(*columns: str) -> None:
    op.drop_index('ix_events_new', table_name='events')
    op.create_index('ix_events_new', 'events', list(columns), unique=False, sqlite_where=_NEW, postgresql_where=_NEW)
    op.drop_index('ix_inbound_deliveries_waiting', table_name='inbound_deliveries')
    op.create_index('ix_inbound_deliveries_waiting', 'inbound_deliveries', list(columns), unique=False,
        sqlite_where=_WAITING, postgresql_where=_WAITING)
