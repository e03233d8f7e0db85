"""The shop without containers: servers and services as processes of one supervisor."""
