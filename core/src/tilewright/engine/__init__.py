"""The engine: plan, segment, join, write; one module a stage of the data's way."""
