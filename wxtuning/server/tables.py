"""The tables that resources are kept in, and what of a body they are found by. SQL and paths only."""

from __future__ import annotations

from collections.abc import Mapping

TABLES = """
CREATE TABLE IF NOT EXISTS resources (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    container TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL,
    modified_at TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (kind, id)
);
CREATE INDEX IF NOT EXISTS of_a_kind ON resources (kind, container, number);
CREATE TABLE IF NOT EXISTS marks (
    number INTEGER NOT NULL REFERENCES resources ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name, value, number)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS of_a_resource ON marks (number);
CREATE TABLE IF NOT EXISTS keys (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    container TEXT NOT NULL,
    number INTEGER NOT NULL REFERENCES resources ON DELETE CASCADE,
    asked TEXT NOT NULL,
    PRIMARY KEY (owner, key, kind, container)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS to_a_resource ON keys (number);
"""

MARKS: Mapping[str, tuple[str, ...]] = {
    "tag": ("tags",),
    "state": ("status", "state"),
    "asset": ("asset_id",),
    "model": ("asset", "id"),
    "base_deployment": ("base_deployment_id",),
    "serving_name": ("online", "parameters", "serving_name"),
}
"""What resources are found by besides their names, and where it stands in a body: a text, or a list of texts."""
