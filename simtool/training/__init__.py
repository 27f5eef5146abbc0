"""The training engine: it trains any network on one device, on several devices, or on several nodes."""
