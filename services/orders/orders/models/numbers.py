"""The number by which people name an order: a serial and a check digit.

An order's id is for machines. A number is read out over the telephone and typed from a letter:
digits only, and Luhn's digit at the end finds a wrong digit and most that have changed places
(ISO/IEC 7812-1, annex B). Serials come from a sequence, so that no two orders wait for each other;
a placement that is undone leaves a gap. Nothing is allowed by knowing a number.
"""

import re

NUMBER = re.compile(r"[0-9]{2,19}", re.ASCII)
#: As a serial of 18 digits at most fits the column.
MAX_LENGTH = 19


class NotANumber(ValueError):
    """It is no order's number: it has other characters, or its check digit is wrong."""


def number_of(serial: int) -> str:
    """Return the number of the order with this serial."""
    return f"{serial}{_check_digit(str(serial))}"


def serial_of(number: str) -> int:
    """Return the serial in a number.

    Raises:
        NotANumber: it has other characters than digits, or a wrong check digit.
    """
    if not NUMBER.fullmatch(number) or number[-1] != _check_digit(number[:-1]):
        raise NotANumber(number)
    return int(number[:-1])


def _check_digit(digits: str) -> str:
    """Return Luhn's check digit: every second digit counts twice, the last one first."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 - place % 2)
        total += value - 9 if value > 9 else value
    return str(-total % 10)
