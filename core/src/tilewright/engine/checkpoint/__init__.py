"""What a run keeps: the log of its records, their encoding, the lock, and what decides whether it is gone on with."""
