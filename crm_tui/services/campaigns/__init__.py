"""Campaigns: whom they are for, what they say, starting and stopping them, and their figures.

audience   who is in, with which address, and everybody left out with the reason
drafts     a campaign that is being put together, saved as often as one likes
freezing   recipients become rows of the queue, before the start and while it runs
gate       what must be in order before a start
running    start, pause, resume, cancel, retry, skip, edit a step
figures    counts and rates; `ledger` every recipient, `listing` every campaign
preview    a mail as a recipient will get it; `trial` sends one to the operator
"""
