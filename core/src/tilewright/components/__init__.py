"""How plugins are found and named: specs, hooks, discovery, the registry, options. Knows nothing of images."""
