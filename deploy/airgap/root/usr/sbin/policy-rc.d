#!/bin/sh
# Packages start nothing when they are installed: a container starts its one process itself.
exit 101
