"""The report: the funnel, every figure, and what brought the money, as one page, tables or data.

`gather` asks for all of it at one moment; `page.as_html`, `data.document` and `data.tables` tell it.
"""

from crm_tui.services.report.data import document, tables, write_tables
from crm_tui.services.report.gathering import Report, gather
from crm_tui.services.report.page import as_html, write_html

__all__ = ["Report", "as_html", "document", "gather", "tables", "write_html", "write_tables"]
