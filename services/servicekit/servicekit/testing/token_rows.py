"""The rows of the threat catalogue about tokens (docs/security.md), as what a client sends.

A row is a list of hostile tokens or headers, found by their names; rows about more than a single
header have tests of their own, which that page names.
"""

import re

from servicekit.testing.hostile_tokens import hostile_headers, hostile_tokens
from servicekit.testing.tokens import SIGNER, Signer

ROWS = {
    "T1": r"alg 'none' unsigned",
    "T2": r"alg ('None'|'nOnE'|' none') unsigned|alg (absent|null|\['ES256'\] signed)",
    "T3": r"(HS|ES)256 keyed with the .*",
    "T4": r"alg '(RS256|ES384|ES512|EdDSA|ES256K|PS256)' signed",
    "T5": r"alg 'es256' signed",
    "T6": r"(two|four|five) parts",
    "T7": r"JSON form|quoted",
    "T8": r"own jwk (in the header|and our kid)",
    "T9": r"header (jku|x5u)",
    "T10": r"header x5c",
    "T11": r"kid (absent|'unknown' .*)",
    "T12": r"kid .*",
    "T13": r"header (crit|b64|zip)",
    "T14": r"typ .*",
    "T16": r"iss .*",
    "T17": r"aud .*",
    "T18": r"expired a minute ago|expires in 100 years|exp .*",
    "T19": r"expired just before the leeway",
    "T20": r"(nbf|iat) ahead",
    "T21": r".* changed after signing",
    "T22": r"signature .*",
    "T23": r"padded.*|plus and slash|line break .*|last character not canonical",
    "T24": r"duplicate .*",
    "T25": r"payload (array|bad UTF-8|UTF-16.*|byte-order mark|nested)",
    "T26": r"(9|64) KiB",
    "T27": r"two tokens",
    "T29": r"two spaces|tab|trailing text|Basic|Token|empty|scheme only",
    "T31": r"sub .*",
    "T35": r"key of another shop|stranger with our kid",
}


def authorizations(row: str, signer: Signer = SIGNER) -> dict[str, str]:
    """Return the values of Authorization that a row is about, by their names."""
    values = [(hostile.name, f"Bearer {hostile.token}") for hostile in hostile_tokens(signer)]
    return {
        name: value
        for name, value in [*values, *hostile_headers(signer)]
        if re.fullmatch(ROWS[row], name, re.DOTALL)
    }
