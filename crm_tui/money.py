"""Amounts of money: integers in the currency's minor unit, read from what people write and said again.

Nothing is rounded before the end: sums are integers, shares are fractions, and what is shown is
rounded half-even to the minor unit. How many digits a minor unit has is ISO 4217.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

from crm_tui.errors import BadInput

_CODES = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD
        CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS
        GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD
        LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB
        PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP
        SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW
        ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""The codes of ISO 4217's list one of January 2026 that have a minor unit, by its digits."""

_DIGITS = {code: number for number, codes in _CODES.items() for code in codes.split()}
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,4})?\Z")
_MOST = 10**14
"""A hundred billion at least in any currency: more is a slip of the hand."""


def digits(currency: str) -> int:
    """How many digits a currency has after the point: 2 for USD, 0 for JPY, 3 for KWD."""
    return _DIGITS.get(currency, 2)  # a store may have amounts in one that is no more


def is_currency(code: str) -> bool:
    """Whether ISO 4217 has this code, in capitals, for money that can be paid."""
    return code in _DIGITS


def currency_code(text: str) -> str:
    """A currency as it is stored: "usd" is USD.

    Raises:
        BadInput: it is none.
    """
    code = text.strip().upper()
    if not is_currency(code):
        raise BadInput(
            f'"{text}" is not a currency: write the three letters ISO 4217 has for it, such as USD.'
        )
    return code


def parse_amount(text: str, currency: str) -> int:
    """An amount in minor units, of what a person writes: "49.00" or "1,250" in USD.

    A comma before two digits at the end is a decimal comma: "49,00".

    Raises:
        BadInput: it is no amount, or is finer than the currency.
    """
    plain = text.strip().replace(" ", "").replace("'", "")
    if re.search(r",\d{1,2}\Z", plain) and "." not in plain.rpartition(",")[2]:
        plain = plain.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", plain):
        plain = plain.replace(",", "")
    if not _NUMBER.match(plain):
        raise BadInput(f'"{text}" is not an amount: write it like 49.00.')
    minor = Decimal(plain).scaleb(digits(currency))
    if minor != minor.to_integral_value():
        raise BadInput(
            f'"{text}" is finer than {currency} can be paid: write it like {_example(currency)}.'
        )
    if minor >= _MOST:
        raise BadInput(f'"{text}" is more than an amount can be.')
    return int(minor)


def _example(currency: str) -> str:
    return plain_amount(49 * 10 ** digits(currency), currency)


def major(minor: int | Fraction, currency: str) -> Decimal:
    """An amount of minor units in the major unit, rounded half-even to the minor unit."""
    scale = digits(currency)
    if isinstance(minor, int):
        return Decimal(minor).scaleb(-scale)
    return Decimal(round(minor)).scaleb(-scale)  # round() of a Fraction is half-even, and exact


def plain_amount(minor: int | Fraction, currency: str) -> str:
    """An amount as a number: "49.00"."""
    return f"{major(minor, currency):.{digits(currency)}f}"


def amount_words(minor: int | Fraction, currency: str) -> str:
    """An amount for people: "1,249.00 USD"."""
    return f"{major(minor, currency):,.{digits(currency)}f} {currency}"
