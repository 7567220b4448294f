"""Erasing a lead: what is personal goes everywhere, and only hashes stay. It cannot be undone.

    extent = await erase.extent(db, lead_id)        what would go, for the question beforehand
    result = await erase.erase(db, lead_id, settings=settings, now=now)

See docs/decisions/0018 for what stays and why, and for how the bytes leave the file.
"""

from crm_tui.services.erase.erasing import Erasure, erase
from crm_tui.services.erase.extent import Extent, extent

__all__ = ["Erasure", "Extent", "erase", "extent"]
