from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.errors import BadInput
from crm_tui.services.sites.facts import SiteFacts
from crm_tui.services.sites.texts import (
    LABELS,
    Entry,
    Question,
    SiteTexts,
    default_texts,
    dump,
    fact_values,
    fill,
    parse,
)
from crm_tui.services.sites.themes import Theme, load_themes
from tests.sites.businesses import EVERYBODY, ONLY_A_NAME, RICH

THEMES = load_themes()

# Text that may stand in a texts file: any characters but lone surrogates, braces written twice.
words = st.text(st.characters(exclude_categories=["Cs"])).map(
    lambda text: text.replace("{", "{{").replace("}", "}}")
)
texts_of_any_kind = st.builds(
    SiteTexts,
    headline=words,
    tagline=words,
    about=words,
    area=words,
    services=st.lists(st.builds(Entry, words, words), max_size=3).map(tuple),
    steps=st.lists(st.builds(Entry, words, words), max_size=3).map(tuple),
    questions=st.lists(st.builds(Question, words, words), max_size=3).map(tuple),
    labels=st.dictionaries(st.sampled_from(sorted(LABELS)), words, max_size=3),
)


@given(texts_of_any_kind)
def test_what_is_written_is_read_back(texts: SiteTexts) -> None:
    assert parse(dump(texts)) == texts


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
@pytest.mark.parametrize("facts", EVERYBODY.values(), ids=list(EVERYBODY))
def test_the_default_texts_can_be_written_read_and_filled(theme: Theme, facts: SiteFacts) -> None:
    texts = default_texts(facts, theme)
    assert parse(dump(texts)) == texts
    filled = fill(texts, fact_values(facts))
    assert filled.headline
    assert len(filled.services) >= 6
    assert set(filled.labels) == set(LABELS)


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_every_wording_of_every_trade_can_be_filled(theme: Theme) -> None:
    values = fact_values(RICH)
    for trade in theme.trades:
        assert len(trade.services) >= 6, trade.name
        wordings = [trade.headline, trade.tagline, trade.about, trade.area]
        for wording in [*wordings, *trade.questions.values()]:
            for text in wording:
                said = fill(SiteTexts(headline=text), values).headline
                assert "{" not in said, (trade.name, text)


def test_texts_without_a_fact_do_not_name_it() -> None:
    for theme in THEMES.values():
        texts = default_texts(ONLY_A_NAME, theme)
        body = [texts.headline, texts.tagline, texts.about, texts.area]
        body += [asked.answer for asked in texts.questions]
        assert not any("{city}" in text or "{phone}" in text for text in body)


def test_a_fact_that_went_missing_leaves_a_sentence() -> None:
    texts = SiteTexts(headline="Plumbing in {city}", tagline="{{as it is}} {name}")
    filled = fill(texts, fact_values(replace(RICH, city="")))
    assert filled.headline == "Plumbing in your area"
    assert filled.tagline == "{as it is} Marsh & Daughter"


def test_one_business_always_gets_the_same_words_and_two_may_differ() -> None:
    theme = THEMES["trades"]
    assert default_texts(RICH, theme) == default_texts(RICH, theme)
    headlines = {default_texts(replace(RICH, key=str(n)), theme).headline for n in range(30)}
    assert len(headlines) > 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("headline = ", "not TOML"),
        ('headline = "x"\ntagline = 3', "line 2, field tagline: expected str, got int"),
        ('tagline = "x"', "field headline: it is missing"),
        ('headline = "x"\nheadlines = "y"', "line 2, field headlines: there is no such field"),
        (
            'headline = "x"\n[[services]]\ntitle = "a"\n[[services]]\ntext = "b"',
            "line 4, field services[1].title: it is missing",
        ),
        (
            'headline = "x"\n[[services]]\ntitle = "a"\n\n[[services]]\ntitle = "{town}"',
            "line 6, field services[1].title: {town} is not a fact; there are {name}",
        ),
        ('headline = "50 } off"', "line 1, field headline: a single { or } is left over"),
        ('headline = "{name.__class__}"', "{name.__class__} is not a fact"),
        ('headline = "{name!r}"', "is not a fact"),
        ('headline = "{}"', "{} is not a fact"),
        ('headline = "x"\n[labels]\ncal = "y"', "line 3, field labels.cal: there is no such label"),
        ('headline = "x"\n[labels]\ncall = "{x}"', "line 3, field labels.call"),
        ('lang = "\\"><script>"\nheadline = "x"', "line 1, field lang: not a language tag"),
    ],
)
def test_a_slip_of_the_pen_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(text, source="marsh.toml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("marsh.toml")
    assert "\n" not in str(caught.value)
