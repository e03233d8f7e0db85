"""The shop in containers, by the docker client and the standard library alone."""
