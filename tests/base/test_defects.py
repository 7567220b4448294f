"""What the log of defects holds, and what it never does."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from crm_tui import defects
from crm_tui.defects import log_path, redact, report_defect

NAMES = ("Woodhaven", "Plumbing")


def raised(error: Exception) -> Exception:
    """The error as it is when it was raised, a secret and a lead among the variables there."""
    password, lead = "hunter2-hunter2", {"name": "Woodhaven Plumbing"}
    try:
        fail(error, password, lead)
    except type(error) as caught:
        return caught
    raise AssertionError


def fail(error: Exception, *values: object) -> None:
    del values
    raise error


def test_a_defect_is_written_with_its_traceback_and_named_with_its_file() -> None:
    said = report_defect(raised(KeyError("nothing")))
    assert said.startswith("Something went wrong inside crm-tui (KeyError). ")
    assert str(log_path()) in said
    log = log_path().read_text()
    assert "Traceback (most recent call last):" in log
    assert "KeyError: 'nothing'" in log
    assert "test_defects.py" in log


def test_only_its_owner_can_read_the_log() -> None:
    report_defect(raised(ValueError()))
    assert stat.S_IMODE(log_path().stat().st_mode) == 0o600
    log_path().chmod(0o644)
    report_defect(raised(ValueError()))
    assert stat.S_IMODE(log_path().stat().st_mode) == 0o600


def test_values_of_variables_are_not_in_the_log() -> None:
    report_defect(raised(ValueError("bad")))
    log = log_path().read_text()
    assert "hunter2" not in log
    assert "Woodhaven" not in log
    assert "ValueError: bad" in log


@pytest.mark.parametrize(
    "message",
    [
        "401 for Authorization: Bearer SECRETvalue123",
        "headers {'Authorization': 'Basic SECRETvalue123=='}",
        "headers {'X-Api-Key': 'SECRETvalue123'}",
        'config has smtp_password = "SECRETvalue123 with spaces"',
        "https://api.example/v1?limit=2&api_key=SECRETvalue123&x=1",
        "imaps://ann:SECRETvalue123@mail.example/INBOX",
        "refused sk_live_SECRETvalue123456789",
        "refused whsec_SECRETvalue123456789",
        "refused key-0123456789SECRETvalue1230123456789",
        "refused re_SECRETvalue123456789",
        "refused xkeysib-SECRETvalue123456789-abc",
        "refused eyJhbGciOiJIUzI1NiJ9.SECRETvalue123.abc",
        "-----BEGIN PRIVATE KEY-----\nSECRETvalue123\n-----END PRIVATE KEY-----",
        "token: SECRETvalue123",
    ],
)
def test_what_looks_like_a_secret_is_taken_out(message: str) -> None:
    told = redact(f"ProviderError: {message} end", {})
    assert "SECRETvalue123" not in told
    assert "[taken out]" in told


@pytest.mark.parametrize(
    "message",
    [
        "no mail server for ann.o'neil+x@plumbing.example",
        "cannot dial +15188714000",
        "cannot dial (518) 871-4000 x2",
        "cannot dial 0049 30 901820 11",
    ],
)
def test_what_is_about_a_person_is_taken_out(message: str) -> None:
    told = redact(message, {})
    assert "[taken out]" in told
    assert not any(part in told for part in ("plumbing.example", "8714000", "871-4000", "901820"))


def test_dates_and_versions_and_code_stay() -> None:
    said = "2026-11-22 09:30 Python 3.11.7: sorted(rows, key=by_name), author='x', line 12, 0x7f00"
    assert redact(said, {}) == said


@given(st.from_regex(r"[A-Za-z0-9!#%/-]{6,40}", fullmatch=True))
def test_the_secrets_of_the_environment_are_taken_out_wherever_they_stand(secret: str) -> None:
    environ = {"CRM_TUI_SMTP": secret, "PWD": "/work", "HOME": "/root", "CRM_TUI_DB": "/crm.db"}
    told = redact(f"at /work/crm.db: {secret!s}.", environ)
    assert f": {secret}." not in told
    assert told.startswith("at /work/crm.db: ")


def test_what_was_handed_to_the_store_is_not_in_the_log() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection, pytest.raises(OperationalError) as caught:
        connection.execute(text("SELECT :name FROM nowhere"), {"name": "\n".join(NAMES)})
    engine.dispose()
    report_defect(caught.value)
    log = log_path().read_text()
    assert "no such table: nowhere" in log
    assert "[parameters: taken out]" in log
    assert not any(name in log for name in NAMES)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--db", "ann.db", "leads", "add", "Woodhaven", "--phone=1"],
            "--db … leads add … --phone",
        ),
        (["leads", "list", "status:opened plumb"], "leads list …"),
        (["providers", "test", "--token", "abcdef"], "providers test --token …"),
        ([], ""),
    ],
)
def test_the_log_says_which_command_it_was_and_not_what_about(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["crm-tui", *arguments])
    report_defect(raised(ValueError()))
    assert log_path().read_text().splitlines()[0].rpartition(": ")[2] == said


def test_the_same_defect_again_takes_two_lines() -> None:
    error = raised(ValueError("again and again"))
    report_defect(error)
    report_defect(error)
    assert log_path().read_text().count("again and again") == 1
    assert log_path().read_text().rstrip().endswith("The same as before.")


def recursing(depth: int = 0) -> int:
    return recursing(depth + 1) + 1


def chained(length: int = 300) -> None:
    try:
        fail(ValueError(length)) if length == 0 else chained(length - 1)
    except ValueError as error:
        raise ValueError(length) from error


@pytest.mark.parametrize("endless", [recursing, chained])
def test_no_report_is_endless(endless: Callable[[], object]) -> None:
    with pytest.raises((RecursionError, ValueError)) as caught:
        endless()
    report_defect(caught.value)
    assert log_path().stat().st_size < 60_000


def test_a_log_that_grew_large_is_begun_anew_and_the_one_before_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(defects, "LOG_BYTES", 2_000)
    for number in range(30):
        report_defect(raised(ValueError(f"defect number {number}")))
    logs = sorted(log_path().parent.iterdir())
    assert [log.name for log in logs] == ["crash.log", "crash.log.1"]
    assert all(log.stat().st_size < 4_000 for log in logs)
    assert "defect number 29" in log_path().read_text()


def test_where_no_log_can_be_written_the_sentence_says_what_it_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    said = report_defect(raised(ValueError("token=SECRETvalue123")))
    assert said == "Something went wrong inside crm-tui (ValueError: [taken out])."


def test_the_home_folder_is_not_named() -> None:
    assert redact(f"{Path.home()}/crm.db", os.environ) == "~/crm.db"
