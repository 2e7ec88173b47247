"""Sweep what nobody needs, count for metrics, enforce contract revisions from a date on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('sweeps',
    sa.Column('name', sa.String(length=32), nullable=False),
    sa.Column('started_at', sa.String(length=32), nullable=False),
    sa.Column('finished_at', sa.String(length=32), nullable=True),
    sa.Column('outcome', sa.String(length=16), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.Column('succeeded_at', sa.String(length=32), nullable=True),
    sa.Column('holder', sa.String(length=36), nullable=True),
    sa.Column('held_until', sa.String(length=32), nullable=True),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_sweeps'))
    )
    op.create_table('counters',
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('label', sa.String(length=128), nullable=False),
    sa.Column('value', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_counters_organization_id_organizations')),
    sa.PrimaryKeyConstraint('organization_id', 'name', 'label', name=op.f('pk_counters'))
    )
    op.add_column('workflows', sa.Column('minimum_revision', sa.Integer(), nullable=True))
    op.add_column('workflows', sa.Column('minimum_revision_since', sa.String(length=32), nullable=True))

    # Revisions of before were in force from the moment they were made.
    op.add_column('contract_revisions', sa.Column('enforced_from', sa.String(length=32), nullable=True))
    op.execute('UPDATE contract_revisions SET enforced_from = created_at')
    with op.batch_alter_table('contract_revisions', schema=None) as batch_op:
        batch_op.alter_column('enforced_from', existing_type=sa.String(length=32), nullable=False)

    op.add_column('artifacts', sa.Column('last_uploaded_at', sa.String(length=32), nullable=True))
    op.add_column('artifacts', sa.Column('referenced_at', sa.String(length=32), nullable=True))
    op.execute('UPDATE artifacts SET last_uploaded_at = created_at')
    with op.batch_alter_table('artifacts', schema=None) as batch_op:
        batch_op.alter_column('last_uploaded_at', existing_type=sa.String(length=32), nullable=False)
    op.create_index('ix_artifacts_unreferenced', 'artifacts', ['last_uploaded_at'], unique=False,
        sqlite_where=sa.text('referenced_at IS NULL'), postgresql_where=sa.text('referenced_at IS NULL'))
    op.create_index('ix_runs_open_token', 'workflow_runs', ['token_id', 'expires_at'], unique=False,
        sqlite_where=sa.text("state = 'initialized'"), postgresql_where=sa.text("state = 'initialized'"))

    _find_runs_and_what_tokens_did()
    _tell_whose_word_it_is()


_UNUSUAL = sa.text("state <> 'success'")
_STATES = (
    ('workflow', ['workflow_id']),
    ('project', ['project_id']),
    ('token', ['token_id']),
    ('runner', ['organization_id', 'runner_type']),
)
_AUDIT = (
    ('ix_audit_organization', ['organization_id']),
    ('ix_audit_token', ['organization_id', 'token_id']),
    ('ix_audit_action', ['organization_id', 'action']),
)
_BACK = ['organization_id', 'to_digest', 'to_kind', 'from_digest', 'from_kind']


def _find_runs_and_what_tokens_did() -> None:
    """Let every filter of runs, and of what a token did, walk an index."""
    for table in ('run_materials', 'run_artifacts'):
        op.add_column(table, sa.Column('run_sequence', sa.BigInteger(), server_default=sa.text('0'), nullable=False))
        op.execute(f'UPDATE {table} SET run_sequence = '
            f'(SELECT sequence FROM workflow_runs WHERE workflow_runs.id = {table}.run_id)')
        op.drop_index(f'ix_{table}_digest', table_name=table)
        op.create_index(f'ix_{table}_digest', table, ['organization_id', 'digest', 'run_sequence'], unique=False)
    for name, columns in _STATES:
        op.create_index(f'ix_runs_{name}_state', 'workflow_runs', [*columns, 'state', 'sequence'], unique=False,
            sqlite_where=_UNUSUAL, postgresql_where=_UNUSUAL)
    for table in ('refused_inits', 'refused_stores'):
        op.create_index(f'ix_{table}_token', table, ['token_id', 'at', 'id'], unique=False)
    op.add_column('audit_records', sa.Column('address', sa.String(length=64), server_default=sa.text("''"), nullable=False))
    op.drop_index('ix_audit_organization', table_name='audit_records')
    for name, columns in _AUDIT:
        op.create_index(name, 'audit_records', [*columns, 'at', 'sequence'], unique=False)
    op.drop_index('ix_referrer_edges_back', table_name='referrer_edges')
    op.create_index('ix_referrer_edges_back', 'referrer_edges', _BACK, unique=False)


def _forget_runs_and_what_tokens_did() -> None:
    op.drop_index('ix_referrer_edges_back', table_name='referrer_edges')
    op.create_index('ix_referrer_edges_back', 'referrer_edges', _BACK[:3], unique=False)
    for name, _ in reversed(_AUDIT):
        op.drop_index(name, table_name='audit_records')
    op.create_index('ix_audit_organization', 'audit_records', ['organization_id', 'sequence'], unique=False)
    with op.batch_alter_table('audit_records', schema=None) as batch_op:
        batch_op.drop_column('address')
    for table in ('refused_stores', 'refused_inits'):
        op.drop_index(f'ix_{table}_token', table_name=table)
    for name, _ in reversed(_STATES):
        op.drop_index(f'ix_runs_{name}_state', table_name='workflow_runs')
    for table in ('run_artifacts', 'run_materials'):
        op.drop_index(f'ix_{table}_digest', table_name=table)
        op.create_index(f'ix_{table}_digest', table, ['organization_id', 'digest'], unique=False)
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column('run_sequence')


_KINDS_OF_ONE = """
UPDATE referrer_nodes SET facts_project_id = (
  SELECT CASE WHEN COUNT(DISTINCT e.project_id) = 1 THEN MIN(e.project_id) END FROM referrer_edges e
  WHERE e.organization_id = referrer_nodes.organization_id
    AND e.to_digest = referrer_nodes.digest AND e.to_kind = referrer_nodes.kind)
WHERE kind <> 'ATTESTATION'
"""
_ATTESTATIONS_OF = """
UPDATE referrer_nodes SET facts_project_id = (
  SELECT r.project_id FROM attestations a JOIN workflow_runs r ON r.id = a.run_id
  WHERE a.organization_id = referrer_nodes.organization_id AND a.digest = referrer_nodes.digest)
WHERE kind = 'ATTESTATION'
"""
_FACTS = """
INSERT INTO referrer_facts (organization_id, project_id, digest, kind, workflow_id,
  downloadable, metadata, annotations, created_at, attested_at)
"""
_OF_ATTESTATIONS = """
SELECT n.organization_id, r.project_id, n.digest, n.kind, r.workflow_id,
  n.downloadable, n.metadata, n.annotations, a.stored_at, a.stored_at
FROM referrer_nodes n
JOIN attestations a ON a.organization_id = n.organization_id AND a.digest = n.digest
JOIN workflow_runs r ON r.id = a.run_id WHERE n.kind = 'ATTESTATION'
"""
_OF_OTHERS = """
SELECT e.organization_id, e.project_id, e.to_digest, e.to_kind, e.workflow_id,
  COUNT(m.run_id) > 0, n.metadata, n.annotations, MIN(a.stored_at), MAX(a.stored_at)
FROM referrer_edges e
JOIN referrer_nodes n ON n.organization_id = e.organization_id AND n.digest = e.to_digest AND n.kind = e.to_kind
JOIN attestations a ON a.organization_id = e.organization_id AND a.digest = e.from_digest
LEFT JOIN run_materials m ON m.organization_id = e.organization_id AND m.digest = e.to_digest
  AND m.run_id = a.run_id AND m.type = e.to_kind AND m.stored <> 'not stored'
GROUP BY e.organization_id, e.project_id, e.to_digest, e.to_kind, e.workflow_id, n.metadata, n.annotations
"""


def _tell_whose_word_it_is() -> None:
    """Keep what is said of a digest with who said it; what nobody knows the author of any more is not told."""
    op.add_column('referrer_nodes', sa.Column('facts_project_id', sa.String(length=36), nullable=True))
    op.create_table('referrer_facts',
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('project_id', sa.String(length=36), nullable=False),
    sa.Column('digest', sa.String(length=80), nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('workflow_id', sa.String(length=36), nullable=False),
    sa.Column('downloadable', sa.Boolean(), nullable=False),
    sa.Column('metadata', sa.Text(), nullable=False),
    sa.Column('annotations', sa.Text(), nullable=False),
    sa.Column('created_at', sa.String(length=32), nullable=False),
    sa.Column('attested_at', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_referrer_facts_organization_id_organizations')),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_referrer_facts_project_id_projects')),
    sa.ForeignKeyConstraint(['workflow_id'], ['workflows.id'], name=op.f('fk_referrer_facts_workflow_id_workflows')),
    sa.PrimaryKeyConstraint('organization_id', 'project_id', 'digest', 'kind', 'workflow_id', name=op.f('pk_referrer_facts'))
    )
    op.execute(_KINDS_OF_ONE)
    op.execute(_ATTESTATIONS_OF)
    op.execute("UPDATE referrer_nodes SET annotations = '{}' WHERE facts_project_id IS NULL")
    op.execute(_FACTS + _OF_ATTESTATIONS)
    op.execute(_FACTS + _OF_OTHERS)


def _forget_whose_word_it_is() -> None:
    op.drop_table('referrer_facts')
    op.drop_column('referrer_nodes', 'facts_project_id')


def downgrade() -> None:
    _forget_whose_word_it_is()
    _forget_runs_and_what_tokens_did()
    op.drop_index('ix_runs_open_token', table_name='workflow_runs')
    op.drop_index('ix_artifacts_unreferenced', table_name='artifacts')
    with op.batch_alter_table('artifacts', schema=None) as batch_op:
        batch_op.drop_column('referenced_at')
        batch_op.drop_column('last_uploaded_at')
    with op.batch_alter_table('contract_revisions', schema=None) as batch_op:
        batch_op.drop_column('enforced_from')
    op.drop_column('workflows', 'minimum_revision_since')
    op.drop_column('workflows', 'minimum_revision')
    op.drop_table('counters')
    op.drop_table('sweeps')
