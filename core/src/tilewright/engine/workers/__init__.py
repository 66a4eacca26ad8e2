"""Who does the tasks: threads, processes, or a cluster."""
