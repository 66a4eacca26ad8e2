"""The engine: plan, segment, join, write; one module a step of the data's way."""
