"""Bringing what an earlier version indexed up to date, behind everybody's back."""
