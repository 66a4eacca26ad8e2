"""What holds for the tests of all distributions: a busy machine fails none that an idle one passes."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("tilewright", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tilewright")
