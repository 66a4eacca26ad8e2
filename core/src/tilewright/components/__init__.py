"""How plugins are found and named: specs, hooks, discovery, the registry, options. It does not depend on images."""
