"""Search over everything that is remembered: routes, ranking, and the answer within a budget."""
