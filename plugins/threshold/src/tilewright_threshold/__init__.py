"""tilewright-threshold: hooks only."""
