"""The machine below: cores, locks; what a program is allowed and who else is at work."""
