"""A postal address, as people write it into a form."""

from rest_framework import serializers

from servicekit.http.fields import LabelField
from servicekit.http.serializers import StrictSerializer

#: Of ISO 3166-1, by their two letters (as IANA's iso3166.tab lists them).
CODES = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ
BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM
DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS
GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ
MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM
PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV
SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES = frozenset(CODES.split())


class _OptionalLine(LabelField):
    """A line that may be empty."""

    def __init__(self, *, max_length: int) -> None:
        super().__init__(max_length=max_length, allow_blank=True, required=False)


class PostalAddress(StrictSerializer):
    """Where somebody is reached: who, where, and in which country."""

    name = LabelField(max_length=200)
    line1 = LabelField(max_length=200)
    line2 = _OptionalLine(max_length=200)
    postcode = _OptionalLine(max_length=20)
    city = LabelField(max_length=100)
    region = _OptionalLine(max_length=100)
    country = serializers.ChoiceField(sorted(COUNTRIES), help_text="ISO 3166-1, two letters.")
    phone = _OptionalLine(max_length=30)
