"""One command over both runtimes, and what containers and the native stack have in common."""
