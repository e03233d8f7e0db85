"""Backup and restore of a whole shop, in either runtime (docs/adr/0056-a-backup-is-a-consistent-cut.md)."""
