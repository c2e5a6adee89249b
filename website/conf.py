"""Sphinx's configuration: Furo's theme, pages in Markdown, nothing loaded from elsewhere."""

from __future__ import annotations

import posixpath
from importlib.metadata import version as version_of
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from website.docstrings import as_rst

project = "glocalk"
author = "the glocalk contributors"
version = release = version_of("glocalk")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
myst_enable_extensions = ["colon_fence", "html_image"]
myst_heading_anchors = 4
myst_url_schemes = ["http", "https", "mailto", "site"]
nb_execution_mode = "off"  # the notebook is executed before
suppress_warnings = ["myst.strikethrough"]

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = True
python_use_unqualified_type_names = True
add_module_names = False
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"glocalk {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_theme_options: dict[str, Any] = {
    "light_css_variables": {
        "color-brand-primary": "#0b5c8f",
        "color-brand-content": "#0b5c8f",
        "color-brand-visited": "#0b5c8f",
        "font-stack": "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', sans-serif",
        "font-stack--monospace": "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace",
    },
    "dark_css_variables": {
        "color-brand-primary": "#6fb7e9",
        "color-brand-content": "#6fb7e9",
        "color-brand-visited": "#6fb7e9",
    },
    "footer_icons": [],
}
copybutton_prompt_text = ">>> "


def setup(app: Sphinx) -> None:
    """Connect what Sphinx's extensions do not do."""
    app.connect("autodoc-process-docstring", _convert, priority=1)  # before napoleon
    app.connect("doctree-resolved", _link_within_the_site)


def _convert(*given: Any) -> None:
    lines: list[str] = given[-1]
    lines[:] = as_rst(lines)


def _link_within_the_site(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """Links `site:PATH` lead to a file that is not a page of Sphinx's."""
    here = posixpath.dirname(app.builder.get_target_uri(name))
    for link in doctree.findall(nodes.reference):
        target = link.get("refuri", "")
        if target.startswith("site:"):
            link["refuri"] = posixpath.relpath(target.removeprefix("site:"), here or ".")
