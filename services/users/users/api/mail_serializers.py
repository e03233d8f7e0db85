"""The shape of what clients send for mails about an account."""

from typing import Any

from servicekit.http.fields import CleanCharField
from servicekit.http.serializers import StrictSerializer
from users.api.serializers import EmailField, PasswordField, check_password


class MailTokenField(CleanCharField):
    """A token as a mail has it."""

    def __init__(self) -> None:
        super().__init__(max_length=100)


class SpendToken(StrictSerializer):
    token = MailTokenField()


class ConfirmRegistration(StrictSerializer):
    token = MailTokenField()
    password = PasswordField()


class AskReset(StrictSerializer):
    email = EmailField()


# Its context holds `account_of`, which returns the account of a token.
class ConfirmReset(StrictSerializer):
    token = MailTokenField()
    new_password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        account = self.context["account_of"](token=attrs["token"])
        check_password("new_password", attrs["new_password"], account)
        return attrs


class AskEmail(StrictSerializer):
    new_email = EmailField()
    current_password = PasswordField()
