"""Answers requests for mails to an address, of which only the mail tells whether it has an account.

A request's answer commits with the end of its row: none is answered twice.
"""

import time

from django.db import transaction

from users.models import Account, MailRequest
from users.services import account_mails, registration


def answer_requests(*, seconds: float) -> int:
    """Answer what was asked for, oldest first, for `seconds` at most; return how many requests."""
    until = time.monotonic() + seconds
    answered = 0
    while time.monotonic() < until and (_answer_next() or registration.answer_next()):
        answered += 1
    return answered


def _answer_next() -> bool:
    with transaction.atomic():
        waiting = MailRequest.objects.select_for_update(skip_locked=True, of=("self",))
        request = waiting.order_by("id").first()
        if request is None:
            return False
        if request.purpose == MailRequest.Purpose.PASSWORD_RESET:
            _answer_reset(request)
        else:
            _answer_change(request)
        request.delete()
    return True


def _answer_reset(request: MailRequest) -> None:
    account = Account.objects.filter(email=request.email, is_active=True).first()
    if account is not None:
        account_mails.send_password_reset(account=account)


def _answer_change(request: MailRequest) -> None:
    """Mail both addresses; an address that is taken hears of it, and the old one hears the same."""
    account = request.account
    if account is None or not account.is_active:
        return
    account_mails.tell_email_change_asked(account=account, new=request.email)
    owner = Account.objects.filter(email=request.email).first()
    if owner is None:
        account_mails.send_email_change(
            account=account, email=request.email, session_id=request.session_id
        )
    else:
        account_mails.tell_email_taken(owner=owner)
