"""What a mail says, by its templates and in its recipient's language.

Templates are plain text; the HTML part is made from that text. Texts of the context stay in their
line, add no header, and nothing in them is markup or template.
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation

HTML = "servicekit/mail.html"
#: Machines that answer mails leave those alone (RFC 3834).
HEADERS = {"Auto-Submitted": "auto-generated"}


def render(
    *, kind: str, language: str, recipient: str, context: Mapping[str, Any]
) -> EmailMultiAlternatives:
    """Return the mail of a kind; in the settings' language where `language` has no translation."""
    values = _one_line(context)
    with translation.override(_supported(language)):
        subject = _one_line(render_to_string(f"{kind}_subject.txt", values))
        text = render_to_string(f"{kind}_body.txt", values).strip() + "\n"
        html = render_to_string(HTML, {"subject": subject, "text": text})
    message = EmailMultiAlternatives(subject, text, to=[recipient], headers=HEADERS)
    message.attach_alternative(html, "text/html")
    return message


def _one_line(value: Any) -> Any:
    """Return a value of JSON with every text of it in one line."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, Mapping):
        return {name: _one_line(member) for name, member in value.items()}
    return [_one_line(member) for member in value] if isinstance(value, list) else value


def _supported(language: str) -> str:
    try:
        return translation.get_supported_language_variant(language)
    except LookupError:
        return settings.LANGUAGE_CODE
