"""The shop in containers: `python3 deploy/compose COMMAND`, which the Makefile calls. Standard library only; needs the docker client."""
