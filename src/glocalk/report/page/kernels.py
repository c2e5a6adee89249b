"""The study of the global kernel: the text of `kernels.md`, with its figures inside the page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

from glocalk.report.page.markup import fill
from glocalk.report.page.section import Material, Section

_FILE = "kernels.md"
_IMAGE = re.compile(r'<img src="([^"<>]+)" alt="([^"<>]*)"[^<>]*>')
_PLAIN = " /:;,=.()-'"  # what an address in an attribute may hold; an svg is half of it
# What an svg can do without, and what takes its place.
_NEEDLESS = (
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r'<g id="[^"]*"'), "<g"),
    (re.compile(r">\s+<"), "><"),
    (re.compile(r"<g>(<(?:path|use)\b[^<>]*/>)</g>"), r"\1"),
    (re.compile(r"([:;]) (?=[^<>]*>)"), r"\1"),  # in a style
    # Beyond a hundredth of a point; numbers below 1 may be the scale of letters.
    (re.compile(r"(\b[1-9]\d*\.\d\d)\d+(?=[^<>]*>)"), r"\1"),
    (re.compile(r'="([^"\']*)"'), r"='\1'"),  # an address would write " with three signs
)
_TAGS = ("<br>", "<code>", "</code>")  # what the report's own Markdown has


def kernels_section(material: Material) -> Section | None:
    """Its text without the title; None where nothing was run."""
    text = material.texts.get(_FILE)
    if text is None:
        return None
    body = fill(
        "kernels.html",
        text=markdown_html(re.sub(r"\A# .*\n", "", text), material.texts),
        file=_FILE,
    )
    return Section("kernels", "What the global kernel does", "Kernel", body)


def markdown_html(text: str, files: Mapping[str, str]) -> Markup:
    """Markdown with tables as markup; other html in it than that of reports is shown as text.

    Args:
        text: Markdown; its headings begin at level 2.
        files: texts of files, of which svg images stand in the page; others are left out.
    """
    parser = MarkdownIt("commonmark").enable("table")
    for rule, render in (("image", _image), ("html_inline", _html), ("html_block", _html)):
        parser.add_render_rule(rule, render)
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    tokens = parser.parse(text)
    for token in tokens:
        if token.tag in ("h2", "h3", "h4"):
            token.tag = f"h{int(token.tag[1]) + 1}"
        elif token.type == "th_open":
            token.attrSet("scope", "col")
        # A table aligns its columns by an inline style, which the page's policy forbids.
        if token.attrs.pop("style", "") == "text-align:right":
            token.attrSet("class", "number")
    return Markup(parser.renderer.render(tokens, parser.options, {"files": files}))


def _image(
    _: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, env: EnvType
) -> str:
    token = tokens[index]
    return _embedded(str(token.attrs["src"]), token.content, env)


def _html(
    _: RendererHTML, tokens: Sequence[Token], index: int, __: OptionsDict, env: EnvType
) -> str:
    content = tokens[index].content
    image = _IMAGE.fullmatch(content.strip())
    if image:
        return _embedded(image[1], Markup(image[2]).unescape(), env)
    return content if content in _TAGS else str(escape(content))


def _embedded(name: str, alternative: str, env: EnvType) -> str:
    svg = env["files"].get(name)
    if svg is None or not name.endswith(".svg"):
        return str(Markup("<em>{}</em>").format(alternative))
    shown = '<img class="embedded" alt="{}" src="data:image/svg+xml,{}">'
    address = Markup(quote(_compact(svg), safe=_PLAIN))  # has no sign that ends an attribute
    return str(Markup(shown).format(alternative, address))


def _compact(svg: str) -> str:
    """The figure without comments, names of groups, groups of one shape, and space between tags."""
    for pattern, instead in _NEEDLESS:
        svg = pattern.sub(instead, svg)
    return svg


def _table_open(*_: object) -> str:
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table class="data">\n'
        '<caption class="spoken">What is measured, in the text above</caption>\n'
    )


def _table_close(*_: object) -> str:
    return "</table></div>\n"
