"""A report as one self-contained page. Its templates are in ``templates/``; nothing is fetched."""
