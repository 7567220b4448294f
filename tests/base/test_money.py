"""Which currencies there are, and how many digits each has."""

from __future__ import annotations

import pytest

from crm_tui import money
from crm_tui.errors import BadInput


@pytest.mark.parametrize("text", ["USD", "usd", " eur ", "KWD", "XOF", "CLF"])
def test_a_currency_of_the_standard_is_taken_in_capitals(text: str) -> None:
    assert money.currency_code(text) == text.strip().upper()


@pytest.mark.parametrize("text", ["ABC", "", "US", "USDX", "DM", "DEM", "XAU", "XXX", "€", "U S D"])
def test_what_the_standard_does_not_have_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        money.currency_code(text)
    assert str(refused.value) == (
        f'"{text}" is not a currency: write the three letters ISO 4217 has for it, such as USD.'
    )


@pytest.mark.parametrize(
    ("currency", "amount", "said"),
    [
        ("USD", 4900, "49.00 USD"),
        ("JPY", 4900, "4,900 JPY"),
        ("KWD", 4900, "4.900 KWD"),
        ("CLF", 4900, "0.4900 CLF"),
        ("BGN", 4900, "49.00 BGN"),
    ],
)
def test_an_amount_is_said_with_the_digits_of_its_currency_even_of_one_that_is_no_more(
    currency: str, amount: int, said: str
) -> None:
    assert money.amount_words(amount, currency) == said
