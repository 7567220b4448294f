"""Which column of an unknown table means what.

A guess looks at the header's words first (English, and the commonest German, Spanish, French and
Italian ones), then at what the cells look like. The operator can change it; the mapping is kept
under the header's signature for the next list with the same columns.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from crm_tui.errors import BadInput
from crm_tui.services import contacts
from crm_tui.services.addresses import country_code
from crm_tui.services.imports import cells
from crm_tui.text import fold

CUSTOM = "custom"
IGNORE = "ignore"

FIELDS: Mapping[str, str] = {
    "name": "Business name",
    "category": "Category",
    "person": "Contact person",
    "title": "Person's title",
    "phone": "Phone",
    "email": "E-mail",
    "website": "Website",
    "social": "Social page",
    "address": "Address in one line",
    "street": "Street",
    "city": "City",
    "region": "State or region",
    "postal_code": "Postal code",
    "country": "Country",
    "latitude": "Latitude",
    "longitude": "Longitude",
    "timezone": "Time zone",
    "rating": "Rating",
    "review_count": "Number of reviews",
    "photo_count": "Number of photos",
    "hours": "Opening hours",
    "place_id": "Google place id",
    "google_id": "Google feature id",
    "tags": "Tags",
    "notes": "Notes",
    "status": "Contact status",
    "outcome": "Outcome",
    "last_contacted": "Last contacted",
    "do_not_contact": "Do not contact",
    "follow_up": "Next follow-up",
    "follow_up_note": "Follow-up note",
    "created_at": "Created",
    CUSTOM: "Keep under its own name",
    IGNORE: "Leave out",
}
"""The fields a column can be mapped to, with their titles."""

REPEATABLE = frozenset(
    {"person", "phone", "email", "website", "social", "street", "tags", "notes", CUSTOM, IGNORE}
)
"""Fields that several columns may be mapped to; of any other, the first column counts."""

NAMING = ("name", "person", "website", "email", "phone")
"""A table needs one of these, or its rows have nothing to be named by."""

# Header words by field. A header matches a phrase when it holds all its words in order; the
# longest matching phrase decides.
_PHRASES = {
    "name": """name, business, business name, company, company name, organization, organisation,
        firm, account, account name, shop, store, lead, lead name, customer, client, place,
        title of business, firma, firmenname, unternehmen, betrieb, name des unternehmens, empresa,
        nombre, nombre de la empresa, razon social, entreprise, societe, nom, nom de l entreprise,
        azienda, ragione sociale, nome, dba""",
    "category": """category, categories, industry, type, business type, trade, sector, niche,
        vertical, segment, branche, kategorie, gewerbe, categoria, sector, rubro, categorie,
        secteur, settore""",
    "person": """contact, contact name, contact person, person, owner, owner name, full name,
        first name, last name, firstname, lastname, given name, family name, surname, manager,
        decision maker, poc, ansprechpartner, ansprechpartnerin, vorname, nachname, inhaber,
        kontakt, kontaktperson, contacto, persona de contacto, apellido, apellidos, propietario,
        prenom, nom de famille, interlocuteur, personne de contact, referente, cognome""",
    "title": """job title, title, position, role, contact title, funktion, cargo, poste, fonction,
        ruolo""",
    "phone": """phone, phones, phone number, phone numbers, telephone, tel, tel no, telephone number,
        mobile, mobile phone, mobile number, cell, cell phone, cellphone, landline, work phone,
        business phone, company phone, direct phone, whatsapp, telefon, telefonnummer, handy, rufnummer,
        mobil, festnetz, telefono, movil, celular, telephone portable, portable, numero, telefono
        movil, cellulare""",
    "email": """email, e mail, mail, emails, email address, e mail address, mail address,
        work email, business email, company email, contact email, emailadresse, e mail adresse, correo,
        correo electronico, courriel, adresse mail, adresse e mail, posta elettronica""",
    "website": """website, web site, web, site, url, homepage, domain, web address, website url,
        company website, webseite, internetseite, internet, sitio web, pagina web, pagina, site web,
        site internet, sito, sito web""",
    "social": """facebook, facebook url, facebook page, instagram, instagram url, linkedin,
        linkedin url, twitter, x url, youtube, tiktok, social, social media, yelp, yelp url""",
    "address": """address, full address, location, business address, mailing address,
        formatted address, adresse, anschrift, direccion, direccion completa, domicilio, indirizzo""",
    "street": """street, street address, address 1, address line 1, address 2, address line 2,
        address1, address2, street 1, street 2, strasse, strasse und hausnummer, strasse nr,
        hausnummer, calle, rue, voie, via""",
    "city": """city, town, city town, locality, municipality, ort, stadt, wohnort, ciudad,
        localidad, poblacion, municipio, ville, commune, citta, comune""",
    "region": """state, region, province, county, state province, state region, us state,
        bundesland, kanton, provincia, estado, comunidad autonoma, departement, regione""",
    "postal_code": """zip, zip code, zipcode, postal code, postcode, post code, postal, plz,
        postleitzahl, codigo postal, cp, code postal, cap""",
    "country": "country, country code, nation, land, staat, pais, pays, paese",
    "latitude": "latitude, lat, breitengrad, latitud",
    "longitude": "longitude, lng, lon, long, langengrad, longitud",
    "timezone": "timezone, time zone, tz, zeitzone, zona horaria, fuseau horaire",
    "rating": """rating, stars, star rating, google rating, average rating, avg rating,
        review rating, bewertung, sterne, calificacion, valoracion, note moyenne, valutazione""",
    "review_count": """reviews, review count, number of reviews, no of reviews, reviews count,
        total reviews, num reviews, user ratings total, anzahl bewertungen, bewertungen,
        resenas, numero de resenas, avis, nombre d avis, recensioni""",
    "photo_count": "photos, photo count, number of photos, photos count, images count, anzahl fotos",
    "hours": """hours, opening hours, business hours, open hours, working hours, hours of operation,
        offnungszeiten, oeffnungszeiten, horario, horarios, horaires, orari, orari di apertura""",
    "place_id": "place id, placeid, google place id, google maps id",
    "google_id": "google id, data id, feature id",
    "tags": "tag, tags, label, labels, list, lists, schlagworte, etiquetas, etiquettes",
    "notes": """note, notes, comment, comments, remark, remarks, memo, description of call,
        call notes, history, notiz, notizen, bemerkung, bemerkungen, kommentar, anmerkung,
        anmerkungen, nota, notas, comentario, comentarios, observaciones, remarque, remarques,
        commentaire, commentaires, note interne""",
    "status": """status, contact status, lead status, stage, lead stage, pipeline stage, phase,
        kontaktstatus, stand, estado del lead, estado de contacto, etat, statut, stato""",
    "outcome": "outcome, result, disposition, call outcome, call result, ergebnis, resultado, resultat",
    "last_contacted": """last contacted, last contact, last contact date, last contacted at,
        date contacted, contacted on, contacted at, contact date, last activity, last activity date,
        last call, last called, last email, last emailed, last touch, last touched, last outreach,
        letzter kontakt, zuletzt kontaktiert, kontaktiert am, ultimo contacto, fecha de contacto,
        dernier contact, date de contact, ultimo contatto""",
    "do_not_contact": """do not contact, dont contact, do not call, do not email, dnc, opt out,
        opted out, optout, unsubscribed, blacklist, blacklisted, suppressed, nicht kontaktieren,
        gesperrt, werbesperre, no contactar, ne pas contacter""",
    "follow_up": """follow up, followup, follow up date, follow up on, next follow up, next followup,
        next follow up date, next contact, next contact date, next call, next step date, next action
        date, callback, call back, call back date, callback date, reminder, reminder date, due,
        due date, wiedervorlage, nachfassen, wiedervorlage am, nachster kontakt, proximo contacto,
        seguimiento, fecha de seguimiento, relance, date de relance, prochain contact""",
    "follow_up_note": """follow up note, follow up notes, next step, next steps, next action, task,
        to do, nachster schritt, proximo paso, prochaine etape""",
    "created_at": """created, created at, created on, date created, created date, date added,
        added, added on, captured at, erstellt, erstellt am, angelegt am, fecha de creacion,
        date de creation""",
}
_FIELD_OF_PHRASE = {
    tuple(phrase.split()): field
    for field, phrases in _PHRASES.items()
    for phrase in " ".join(phrases.split()).split(", ")
}
_LONGEST_PHRASE = max(map(len, _FIELD_OF_PHRASE))
_WORDS = re.compile(r"[a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# A header that only mentions one of these says something else about the field.
_OTHER_MEANING = frozenset(
    "id status valid verified validation source link type count date time score hash domain carrier fax".split()
)
_CONTACT_WORDS = frozenset("phone mobile email mail website site url address".split())
_BARE_NAMES = frozenset({("name",), ("nombre",), ("nom",), ("nome",)})


def guess(headers: Sequence[str], sample: Sequence[Sequence[str]]) -> dict[str, str]:
    """The field each column seems to mean; columns that fit none are not in the result.

    Args:
        headers: Unique column titles.
        sample: Some rows, as many cells each as there are headers.
    """
    columns: list[Sequence[str]] = [[row[at] for row in sample] for at in range(len(headers))]
    found: dict[str, str] = {}
    ranked = []
    for at, header in enumerate(headers):
        words = _header_words(header)
        field, certainty = _by_words(words)
        ranked.append((-certainty, at, header, field))
    for _, at, header, field in sorted(ranked):
        if field and (field in REPEATABLE or field not in found.values()):
            if _contradicted(field, columns[at]):
                continue
            found[header] = field
    _settle_name(headers, found, columns)
    for at, header in enumerate(headers):
        if header in found or _OTHER_MEANING.intersection(_header_words(header)):
            continue
        field = _by_content(columns[at])
        if field and (field in REPEATABLE or field not in found.values()):
            found[header] = field
    if not {"name", "person"}.intersection(found.values()):
        _name_by_content(headers, found, columns)
    return {header: found[header] for header in headers if header in found}


def _header_words(header: str) -> tuple[str, ...]:
    return tuple(_WORDS.findall(fold(_CAMEL.sub(" ", header)).replace("ß", "ss")))


def _by_words(words: tuple[str, ...]) -> tuple[str, float]:
    """The field of a header and how certain it is: 2 for the whole header, else the part of it."""
    if words and words[-1].isdigit():
        whole, words = words, words[:-1]
        if field := _FIELD_OF_PHRASE.get(whole):
            return field, 2
    if field := _FIELD_OF_PHRASE.get(words):
        return field, 2
    for length in range(min(len(words), _LONGEST_PHRASE), 0, -1):
        for start in range(len(words) - length, -1, -1):
            field = _FIELD_OF_PHRASE.get(words[start : start + length])
            rest = words[:start] + words[start + length :]
            about_contact = _CONTACT_WORDS if length == 1 and words[start] in _OTHER_MEANING else ()
            if field and not _OTHER_MEANING.union(about_contact).intersection(rest):
                return field, length / len(words)
    return "", 0


def _settle_name(
    headers: Sequence[str], found: dict[str, str], columns: Sequence[Sequence[str]]
) -> None:
    """A "title" is the business where nothing else is; beside a company, a "name" is a person."""
    if "name" not in found.values():
        title = next((header for header in headers if found.get(header) == "title"), None)
        if title and "person" not in found.values():
            found[title] = "name"
        return
    bare = company = ""
    for header, column in zip(headers, columns, strict=True):
        words = _header_words(header)
        if _FIELD_OF_PHRASE.get(words) != "name":
            continue
        if words in _BARE_NAMES:
            bare = bare or header
        elif any(column) or not column:
            company = company or header
    if bare and company:
        found[company] = "name"
        found.pop(bare, None)
        if "person" not in found.values():
            found[bare] = "person"


def _contradicted(field: str, column: Sequence[str]) -> bool:
    """Whether the cells say clearly that a column is not what its header seems to say."""
    values = [value for cell in column if (value := cells.text(cell))]
    if not values:
        return False
    looks = _by_content(column)
    if field in {"phone", "email"}:
        return looks not in {"", field}
    if field in {"name", "person", "category", "status", "city"}:
        return looks in {"phone", "email", "website"}
    if field in {"rating", "review_count", "latitude", "longitude"}:
        return sum(cells.number(value) is None for value in values) > len(values) / 2
    if field in {"last_contacted", "follow_up", "created_at"}:
        dates = sum(cells.moment(value, order="day") is not None for value in values)
        return dates == 0 and len(values) > 3
    return False


_SHARE = 0.7
_LONGEST_NAME = 120


def _by_content(column: Sequence[str]) -> str:
    """What most cells of a column look like: an e-mail, a phone or a website."""
    values = [value for cell in column[:50] if (value := cells.text(cell))]
    if not values:
        return ""
    least = _SHARE * len(values)
    if sum("@" in value and _is(contacts.emails(value)) for value in values) >= least:
        return "email"
    if sum("." in value and "@" not in value and _is_page(value) for value in values) >= least:
        return "website"
    phones = [value for value in values if _may_be_phone(value)]
    if len(phones) >= least and sum(_is(contacts.phones(v, "US")) for v in phones) >= least / 2:
        return "phone"
    return ""


def _is(found: Sequence[contacts.Contact]) -> bool:
    return any(contact.valid for contact in found)


def _is_page(value: str) -> bool:
    if " " in value or not re.search(
        r"(?:^https?://|^www\.|\.[a-z]{2,12}(?:/|$))", value, re.IGNORECASE
    ):
        return False
    return _is(contacts.websites(value))


def _may_be_phone(value: str) -> bool:
    if re.fullmatch(r"-?\d*\.\d+", value):
        return False  # a coordinate
    digits = sum(c.isdigit() for c in value)
    return 10 <= digits <= 12 if value.isdigit() else 7 <= digits <= 40


def _name_by_content(
    headers: Sequence[str], found: dict[str, str], columns: Sequence[Sequence[str]]
) -> None:
    """The first column of differing words that are neither numbers nor countries."""
    for at, header in enumerate(headers):
        values = [value for cell in columns[at] if (value := cells.text(cell))]
        wordy = [v for v in values if any(c.isalpha() for c in v) and not country_code(v)]
        differ = len(set(wordy)) > len(values) / 2
        if header not in found and differ and max(map(len, wordy)) < _LONGEST_NAME:
            found[header] = "name"
            return


def parse_map(words: Iterable[str], headers: Sequence[str] | None = None) -> dict[str, str]:
    """Read "COLUMN=field" as given on the command line.

    Args:
        words: One or more, each with the column's header before the last "=".
        headers: The table's headers, to check the columns against where they are known.

    Raises:
        BadInput: A word has no "=", the field is unknown, or the table has no such column.
    """
    mapping: dict[str, str] = {}
    by_fold = {fold(header): header for header in headers or ()}
    for word in words:
        column, equals, field = word.rpartition("=")
        column, field = column.strip(), field.strip().lower().replace("-", "_")
        if not equals or not column:
            raise BadInput(f"“{word}” is not a mapping. Write COLUMN=field, such as Firma=name.")
        if field not in FIELDS:
            raise BadInput(f"There is no field “{field}”. Fields are {', '.join(FIELDS)}.")
        if headers is not None:
            if fold(column) not in by_fold:
                raise BadInput(
                    f"The list has no column “{column}”. Its columns are {', '.join(headers)}."
                )
            column = by_fold[fold(column)]
        mapping[column] = field
    return mapping


def signature(headers: Sequence[str]) -> str:
    """What a mapping is kept under: the same for the same columns in any order and case."""
    folded = "\n".join(sorted(fold(header) for header in headers))
    return hashlib.sha256(folded.encode()).hexdigest()[:32]
