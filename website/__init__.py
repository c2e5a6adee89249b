"""Builds the documentation as a site: `docs/`, `reports/`, a page for each model, and the API."""
