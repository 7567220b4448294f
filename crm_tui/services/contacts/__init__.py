"""Phones, e-mails and web addresses as people write them, made comparable.

Everything here is pure and never raises on what a stranger wrote: what cannot be used comes back
with `valid` false and the problem in words.
"""

from crm_tui.services.contacts.contact import Contact
from crm_tui.services.contacts.mail import email, emails
from crm_tui.services.contacts.mail_names import is_role_address, is_role_or_shared_address
from crm_tui.services.contacts.telephone import phone, phone_words, phones
from crm_tui.services.contacts.web import website, websites

__all__ = [
    "Contact",
    "email",
    "emails",
    "is_role_address",
    "is_role_or_shared_address",
    "phone",
    "phone_words",
    "phones",
    "website",
    "websites",
]
