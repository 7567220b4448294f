"""The merge fields: what a template can say of a business, its site and who writes."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class MergeField:
    """One merge field.

    Attributes:
        name: As a template writes it, such as "business.city".
        hint: What it is, in a few words.
        example: What it may say; also what a template is tried out with.
        missing: Why a mail that needs it is held back, where a recipient has none.
    """

    name: str
    hint: str
    example: str | float
    missing: str

    @property
    def attribute(self) -> str:
        """The attribute of `MailFacts` that holds it."""
        return self.name.replace(".", "_")


NO_LINK = "it has no payment link"
"""Why a mail is held that asks to pay, as its reason begins."""

FIELDS = {
    field.name: field
    for field in (
        MergeField("business.name", "its name", "Marsh Plumbing", "it has no name"),
        MergeField("business.category", "its line of work", "Plumber", "it has no category"),
        MergeField("business.street", "street and number", "12 Chapel Row", "it has no street"),
        MergeField("business.city", "town or city", "Bath", "it has no city"),
        MergeField("business.region", "state or region", "Somerset", "it has no region"),
        MergeField("business.postal_code", "postcode", "BA1 1HN", "it has no postcode"),
        MergeField("business.country", "country, two letters", "GB", "it has no country"),
        MergeField("business.phone", "phone number", "+441225555012", "it has no phone number"),
        MergeField(
            "business.email", "e-mail address", "jo@example.com", "it has no e-mail address"
        ),
        MergeField(
            "business.website",
            "the website it has already",
            "https://marsh.example.com",
            "it has no website of its own",
        ),
        MergeField("business.rating", "rating, a number up to 5", 4.8, "it has no rating"),
        MergeField("business.review_count", "number of reviews", 113, "it has no reviews"),
        MergeField(
            "contact.first_name", "first name of the person", "Jo", "no first name is known"
        ),
        MergeField("contact.name", "name of the person", "Jo Marsh", "no contact person is known"),
        MergeField(
            "site.url",
            "public address of its preview site",
            "https://previews.example.com/marsh-plumbing",
            "it has no published site",
        ),
        MergeField("sender.name", "your name", "Anna Berg", "your name is not set: [sender] name"),
        MergeField(
            "sender.email",
            "your e-mail address",
            "anna@example.org",
            "your e-mail address is not set: [sender] email",
        ),
        MergeField(
            "sender.postal_address",
            "your postal address, on its lines",
            "5 Mill Lane\nBristol BS1 4QD",
            "your postal address is not set: [sender] postal_address",
        ),
        MergeField(
            "payment_url",
            "the page where it can pay: its newest open payment link",
            "https://buy.stripe.com/4gw5mA7Qk2Xb9aE",
            NO_LINK,
        ),
        MergeField(
            "unsubscribe",
            "a sentence with the link to opt out",
            "If you do not want mail from me, tell me here and I will not write again: "
            "mailto:anna+u.k3v9@example.org?subject=unsubscribe",
            "there is no way to opt out yet",
        ),
    )
}
"""Every merge field by its name."""

GROUPS = tuple(dict.fromkeys(name.split(".")[0] for name in FIELDS if "." in name))
"""What stands before the dot: business, contact, site, sender."""


def nearest(name: str) -> str | None:
    """The merge field that was probably meant by a name that is none."""
    wanted = name.casefold().replace("-", "_")
    by_ending = {known.split(".")[-1]: known for known in reversed(FIELDS)}
    if wanted in by_ending:
        return by_ending[wanted]
    found = get_close_matches(wanted, FIELDS, n=1, cutoff=0.6)
    if found:
        return found[0]
    endings = get_close_matches(wanted.split(".")[-1], by_ending, n=1, cutoff=0.7)
    return by_ending[endings[0]] if endings else None
