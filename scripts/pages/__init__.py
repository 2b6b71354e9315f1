"""The documentation as a site: pages of `docs/`, and reference made from the code."""
