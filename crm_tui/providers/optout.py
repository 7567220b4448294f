"""The words of mails that nobody should answer: opt-outs, and answers that machines gave."""

from __future__ import annotations

import re

from crm_tui.providers.mime import Fields, every, first
from crm_tui.text import fold

_LETTERS = re.compile(r"[^\w]+|_")
_REPLY_PREFIX = re.compile(
    r"\s*(?:re|aw|sv|vs|rv|res|rif|απ|odp|antw)\s*(?:\[\d+\])?\s*:", re.IGNORECASE
)
# Said around the wish without changing it.
_FILLERS = frozenset(
    fold(word)
    for word in (
        "please pls kindly hi hello hey just thanks thank you bitte hallo danke merci bonjour svp "
        "s il vous plaît plait γεια σας παρακαλώ ευχαριστώ hola por favor gracias ciao grazie alstublieft"
    ).split()
)
_WISHES = """
unsubscribe; unsubscribe me; unsubscribe us; unsubscribe from list; stop; stop it; stop emails; stop mails;
remove; remove me; remove us; remove my email; remove my address; take me off; opt out; optout; opt me out;
no more emails; no more email; no more mails; no more mail; no more messages; do not contact me; do not contact us;
do not contact me again; do not contact us again; don t contact me; don t contact us; don t contact me again;
do not email me; do not email me again; do not email us; don t email me; don t email me again; do not write again;
leave me alone; leave us alone; cancel subscription; end;
abmelden; abmeldung; abbestellen; austragen; mich austragen; austragen aus verteiler; stopp; keine mails mehr;
keine e mails mehr; keine emails mehr; keine weiteren mails; keine weiteren e mails; keine weiteren emails;
keine weiteren nachrichten; keine weitere kontaktaufnahme; keine werbung; keine werbung mehr; nicht mehr kontaktieren;
nicht mehr anschreiben; kontaktieren sie mich nicht mehr; kontaktieren sie uns nicht mehr; lassen sie mich in ruhe;
schreiben sie mir nicht mehr; schreiben sie uns nicht mehr; aus dem verteiler nehmen; aus verteiler löschen;
désabonner; me désabonner; désabonnez moi; désabonnez nous; désabonnement; désinscription; désinscrire; me désinscrire;
désinscrivez moi; désinscrivez nous; ne me contactez plus; ne nous contactez plus; ne m écrivez plus; arrêtez; arrêter;
plus de mails; plus d emails; plus de messages; supprimez moi; retirez moi; stop aux mails;
baja; darme de baja; dar de baja; dame de baja; dadme de baja; cancelar suscripción; no me contacten; no más correos;
no me escriban más; cancellami; cancellatemi; disiscrivimi; rimuovetemi; rimuovimi; afmelden; uitschrijven; schrijf me uit;
διαγραφή; διαγραφη μου; διαγράψτε με; διαγράψτε μας; διαγραφή από τη λίστα; διαγραφή από λίστα; απεγγραφή; στοπ;
κατάργηση εγγραφής; σταματήστε; μην μου ξαναστείλετε; μη μου ξαναστείλετε; μην μας ξαναστείλετε; μη μας ξαναστείλετε;
μην μου στέλνετε; μη μου στέλνετε; μην στέλνετε άλλα; μην επικοινωνήσετε ξανά; μην με ξαναενοχλήσετε
"""
# A line that begins so means it, whatever follows.
_BEGINNINGS = """
unsubscribe me; unsubscribe us; remove me from; remove us from; remove my; remove our; take me off; take us off;
stop emailing; stop mailing; stop sending; stop contacting; stop spamming; stop writing; do not send me;
do not send us; don t send me; don t send us; opt me out; i want to unsubscribe; i would like to unsubscribe;
i wish to unsubscribe; i do not wish to receive; i do not want to receive; i don t want to receive;
nehmen sie mich aus; nehmen sie uns aus; streichen sie mich; streichen sie uns; tragen sie mich aus;
tragen sie uns aus; löschen sie mich; löschen sie meine; löschen sie uns; löschen sie unsere;
senden sie mir keine; senden sie uns keine; schicken sie mir keine; schicken sie uns keine;
ich möchte keine; wir möchten keine; keine weiteren e mails; keine weiteren mails;
retirez moi de; retirez nous de; supprimez moi de; supprimez nous de; veuillez me désinscrire; veuillez me retirer;
veuillez me désabonner; veuillez nous désinscrire; veuillez nous retirer; veuillez nous désabonner;
je ne souhaite plus; nous ne souhaitons plus; ne m envoyez plus; ne nous envoyez plus;
διαγράψτε με από; διαγράψτε μας από; αφαιρέστε με; αφαιρέστε μας; βγάλτε με από; βγάλτε μας από;
δεν θέλω άλλα; δεν επιθυμώ; δεν επιθυμούμε; quítenme; elimínenme; bórrenme; cancellatemi dalla; rimuovetemi dalla
"""
_GREETING = re.compile(
    r"(?:hi|hello|hey|dear|good (?:morning|afternoon|evening|day)|hallo|guten? (?:tag|morgen|abend)|sehr geehrte\w*|"
    r"liebe[r]?|moin|servus|gruezi|bonjour|bonsoir|madame|monsieur|chere?|γεια|καλημερα|καλησπερα|αγαπητ\w*|"
    r"hola|buen[oa]s (?:dias|tardes)|ciao|buongiorno|beste|geachte)\b"
)


def _phrases(table: str) -> frozenset[str]:
    return frozenset(_plain(one) for one in table.replace("\n", " ").split(";"))


def _plain(line: str) -> str:
    said = _LETTERS.sub(" ", fold(line)).split()
    return " ".join(word for word in said if word not in _FILLERS)


_WISHED = _phrases(_WISHES)
_BEGUN = tuple(sorted(_phrases(_BEGINNINGS)))


def wants_out(text: str) -> bool:
    """Whether the first line that says something, of a text without quotes, asks not to be written to."""
    lines = [line for line in text.split("\n", 60)[:60] if line.strip()]
    for line in lines[:2]:
        if _is_wish(line):
            return True
        if not (_GREETING.match(fold(line[:100])) and len(line.split()) <= 6):
            return False
    return False


def subject_wants_out(subject: str) -> bool:
    """Whether a subject is such a wish; one that answers ours ("Re: …") is only our own words."""
    return not _REPLY_PREFIX.match(subject) and _is_wish(subject)


def _is_wish(line: str) -> bool:
    if len(line) > 200:
        return False
    said = _plain(line)
    return said in _WISHED or (said.startswith(_BEGUN) and any(_whole(said, b) for b in _BEGUN))


def _whole(said: str, beginning: str) -> bool:
    return said == beginning or said.startswith(f"{beginning} ")


# -- answers by machines -------------------------------------------------------------------------

_AUTOMATIC = re.compile(
    r"automatic (?:reply|response|answer)|automated (?:reply|response|message)|auto ?repl|auto ?respon|auto ?:|"
    r"out of (?:the )?office|ooo\b|on vacation|vacation (?:reply|response|message|notice)|"
    r"away from (?:the office|my (?:mail|email|desk))|i am (?:away|on (?:holiday|leave))|"
    r"abwesen|automatische (?:antwort|nachricht|e ?mail|empfangs|eingangs)|autom antwort|ich bin im urlaub|urlaubsabwesen|"
    r"eingangsbestatigung|empfangsbestatigung|"
    r"reponse automatique|message automatique|absence du bureau|absente? du bureau|message d absence|"
    r"respuesta automatica|fuera de (?:la )?oficina|risposta automatica|fuori (?:sede|ufficio)|"
    r"automatisch (?:antwoord|bericht)|afwezig|resposta automatica|fora do escritorio|"
    r"αυτοματη απαντηση|αυτοματοποιημενη απαντηση|εκτοσ γραφειου|automatyczna odpowiedz|poza biurem|autosvar|"
    r"automatiskt svar|franvaro|automaattinen|automatikus valasz|automaticka odpoved|otomatik (?:yanit|cevap)|"
    r"автоответ|автоматический ответ"
)
_BULK = frozenset({"bulk", "junk", "auto_reply", "list"})


def automatic(fields: Fields, subject: str) -> str | None:
    """What shows that no person wrote this mail (RFC 3834 and older habits); None if nothing does."""
    for value in every(fields, "auto-submitted"):
        word = value.split(";", 1)[0].split("(", 1)[0].strip().lower()
        if word and word != "no":
            return f"Auto-Submitted: {word[:40]}"
    precedence = first(fields, "precedence").strip().lower()
    if precedence in _BULK:
        return f"Precedence: {precedence}"
    for name in ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-response-suppress"):
        value = first(fields, name).strip()
        if name in fields and value.lower() not in {"no", "none", "false"}:
            return f"{name.title()}: {value[:40]}".rstrip(": ")
    if first(fields, "content-type").lower().replace(" ", "").find("disposition-notification") > 0:
        return "a receipt of reading"
    if _AUTOMATIC.match(_LETTERS.sub(" ", fold(subject)).strip()) or fold(subject).startswith(
        "auto:"
    ):
        return "the subject of an automatic answer"
    return None
