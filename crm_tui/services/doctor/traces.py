"""Whether what was erased may still be readable in the store's file."""

from __future__ import annotations

from crm_tui.services.doctor.findings import Check, Finding, Patient, Severity
from crm_tui.services.erase import scrubbing


async def find_traces(patient: Patient) -> list[Finding]:
    """See whether the store was wiped after the last erasure."""
    async with patient.db.read() as session:
        if not await scrubbing.any_traces(session):
            return []
    detail = "the file was not wiped after a lead was erased: its data may still be in it"
    return [Finding("erased_traces", Severity.ERROR, 1, detail)]


async def repair_traces(patient: Patient) -> str:
    """Wipe it."""
    problem = await scrubbing.scrub(patient.db)
    return "" if problem else "the file wiped"


CHECKS = (Check("erased_traces", find_traces, repair_traces),)
