"""Measurements that print tables; each module says what it measures and how it is started."""
