"""The list of those not to be contacted: addresses, numbers, domains and leads, each with a reason.

result = await suppression.add(db, Entry(read_value("joe@acme.com", region="US"), why), now=now)
freed = await suppression.remove(db, value, why, now=now)
found = await suppression.import_list(db, path, region="US", now=now)
"""

from crm_tui.services.suppression.acting import Result, add, remove
from crm_tui.services.suppression.barring import BY_HAND, OFF_BY_HAND, Entry
from crm_tui.services.suppression.freeing import Freed
from crm_tui.services.suppression.listing import Line, order, rows_by_id
from crm_tui.services.suppression.lists import (
    Imported,
    export_list,
    import_list,
    write_list,
)
from crm_tui.services.suppression.values import Value, read_value

__all__ = [
    "BY_HAND",
    "OFF_BY_HAND",
    "Entry",
    "Freed",
    "Imported",
    "Line",
    "Result",
    "Value",
    "add",
    "export_list",
    "import_list",
    "order",
    "read_value",
    "remove",
    "rows_by_id",
    "write_list",
]
