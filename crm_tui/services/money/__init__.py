"""Payments and what follows from them: customers, subscriptions, sold sites, won leads."""
