"""What an access token may look like, in numbers and names; no imports, so that any test can read
it.

gateway/njs/claims.js and gateway/njs/verifier.js have the same rules for the edge; tests/repository
compares them.
"""

#: Two machines' clocks may differ by as much.
LEEWAY_SECONDS = 5
#: What users issues. A token that claims a longer life is a fault of its issuer; revocations are
#: kept as long.
LONGEST_LIFE_SECONDS = 300
#: Ours have about 600. What is longer is refused before anything of it is read.
MAX_TOKEN_BYTES = 4096
#: Of header and payload each; ours have a dozen.
MAX_MEMBERS = 64
MAX_KEY_ID_LENGTH = 128
#: Of any other text: `jti`, a role, all scopes together.
MAX_TEXT_LENGTH = 255
#: The roles that mean something to every service: everybody's, everybody's who works here, and the
#: role that has all other roles of staff.
CUSTOMER, STAFF, ADMIN = "customer", "staff", "admin"
#: The only role of a machine client; no person has it.
MACHINE = "machine"
#: The scopes of a machine client, with a space between two (RFC 6749, 3.3, in fewer characters).
SCOPES = "[a-z:_-]+(?: [a-z:_-]+)*"
# Each of these asks the reader to trust or do something that the header's writer chose.
FORBIDDEN_HEADERS = frozenset(
    {"crit", "b64", "zip", "enc", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"}
)
