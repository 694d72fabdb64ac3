"""The tools: one module for each toolset, written for the models that call them."""
