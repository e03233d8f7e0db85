"""Souk without containers: the servers and the services as processes of one supervisor. Standard library only."""
