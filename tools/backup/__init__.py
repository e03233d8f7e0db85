"""Backup and restore of a whole shop (docs/adr/0056-a-backup-is-a-consistent-cut.md)."""
