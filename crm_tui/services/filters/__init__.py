"""The filter language: one line of text that says which leads are meant.

`parse` reads a text into a tree (tree.py), `render` writes a tree as text that reads back to the
same tree, `compile.test` makes a tree an expression for the store. `complete` and `facets` help
while one types. `lead_query.LeadQuery` is the way to the leads themselves.
"""

from crm_tui.services.filters.errors import QueryError
from crm_tui.services.filters.parse import parse
from crm_tui.services.filters.render import render
from crm_tui.services.filters.standpoint import Standpoint

__all__ = ["QueryError", "Standpoint", "parse", "render"]
