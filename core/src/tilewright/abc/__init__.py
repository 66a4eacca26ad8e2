"""The contracts: one module for each kind of component."""
