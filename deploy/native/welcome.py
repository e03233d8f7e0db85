"""What `make up` prints, however it brought the shop up."""

TEXT = """
Souk is up: {address}

  make demo            a small catalogue, a few customers and orders
  make status          every process and its readiness
  make audit           check that the three databases and the broker agree
  make logs            what they say
  make down            stop it; the data stays

Staff sign in with STAFF_EMAIL and STAFF_PASSWORD of {secrets}"""


def text(address: str, secrets: str) -> str:
    return TEXT.format(address=address, secrets=secrets)
