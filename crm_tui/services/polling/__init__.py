"""Polling providers for what became of messages: page to raw record, raw record to event."""
