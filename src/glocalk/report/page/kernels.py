"""The study of the global kernel: the beginning of `kernels.md`, with its figures inside."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup

from glocalk.report.page.markup import fill
from glocalk.report.page.section import Material, Section

_FILE = "kernels.md"


def kernels_section(material: Material) -> Section | None:
    """Its text before the first part with a heading of its own; None where nothing was run."""
    text = material.texts.get(_FILE)
    if text is None:
        return None
    body = fill("kernels.html", text=markdown_html(_beginning(text), material.texts), file=_FILE)
    return Section("kernels", "What the global kernel does", "Kernel", body)


def markdown_html(text: str, files: Mapping[str, str]) -> Markup:
    """Markdown with tables as markup; raw html in it is shown as text.

    Args:
        text: Markdown; its headings begin at level 2.
        files: texts of files, of which svg images stand in the page; others are left out.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("image", _image)
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    tokens = parser.parse(text)
    for token in tokens:
        if token.tag in ("h2", "h3", "h4"):
            token.tag = f"h{int(token.tag[1]) + 1}"
    return Markup(parser.renderer.render(tokens, parser.options, {"files": files}))


def _beginning(text: str) -> str:
    """Without the title, up to the second heading below it."""
    lines = text.split("\n")
    heads = [place for place, line in enumerate(lines) if line.startswith("#")]
    start = heads[0] + 1 if heads and lines[heads[0]].startswith("# ") else 0
    later = [place for place in heads if place >= start]
    return "\n".join(lines[start : later[0]] if later else lines[start:])


def _image(
    _: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, env: EnvType
) -> str:
    token = tokens[index]
    svg = env["files"].get(str(token.attrs["src"]))
    if svg is None:
        return str(Markup("<em>{}</em>").format(token.content))
    source = base64.b64encode(svg.encode()).decode()
    shown = '<img class="embedded" alt="{}" src="data:image/svg+xml;base64,{}">'
    return str(Markup(shown).format(token.content, source))


def _table_open(*_: object) -> str:
    return '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table class="data">'


def _table_close(*_: object) -> str:
    return "</table></div>"
