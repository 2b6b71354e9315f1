"""Structured lines keep what they were made from."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("lines", sa.Column("data", sa.Text))


def downgrade() -> None:
    op.drop_column("lines", "data")
