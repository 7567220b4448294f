"""Publishing: putting the pages of sites where the public reads them, and taking them away.

A page is put, the host takes the batch, and only then is the site's row told of its public address:
what has one can be read by the recipient of a mail. Taking down goes the other way: the row forgets
the address first (docs/decisions/0030).
"""
