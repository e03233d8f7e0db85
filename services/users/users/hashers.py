from django.contrib.auth.hashers import Argon2PasswordHasher


class SoukArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB, 2 passes, 1 lane: the least that OWASP's Password Storage Cheat Sheet
    advises, 21 ms here.

    Django's default (100 MiB, 8 lanes) takes 130 ms of both cores: a log-in rush would starve
    everything else on the machine.
    """

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
