"""From outcomes to numbers: metrics, noise ceiling, intervals and tests."""
