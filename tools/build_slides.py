"""Builds slides from the very notebooks that students read: slides/NN_name.html, to be opened in a browser.

    python tools/build_slides.py [NOTEBOOK ...] [--to FOLDER]       all of notebooks/ into slides/ by default

nbconvert lays the cells out by their slide types, and leaves those of type skip out. Its template loads
reveal.js, MathJax and three more from the network; this one takes the two from installed packages (ASSETS)
and copies them beside the slides, so that a folder of slides works anywhere, without a network.

In the browser: arrow keys and space go on, S opens the speaker's view with the notes, O is the overview, F
fills the screen; with ?print-pdf at the end of the address, the browser's print dialogue makes a PDF.
"""

import argparse
import re
import shutil
import sys
from importlib.metadata import distribution
from pathlib import Path

from lint_notebooks import ROOT, read
from nbconvert import SlidesExporter

# distribution: (folder in it, what is taken from there, where it goes)
ASSETS = {
    "sphinx-revealjs": (
        "sphinx_revealjs/_static/revealjs",
        (
            *("LICENSE", "dist/reveal.js", "dist/reveal.css", "dist/theme/white.css"),
            *("dist/theme/fonts/source-sans-pro/*.css", "dist/theme/fonts/source-sans-pro/*.woff"),
            "plugin/notes/notes.js",
        ),
        "assets/reveal.js",
    ),
    "sphinx-mathjax-offline": (
        "sphinx-mathjax-offline/static/mathjax",
        ("tex-svg-full.js",),
        "assets/mathjax",
    ),
}

TEMPLATE = r"""
{%- extends 'index.html.j2' -%}

{%- block html_head_js %}{% endblock -%}

{%- block html_head_js_mathjax %}
<script>
  MathJax = {
    tex: {
      inlineMath: [["$", "$"], ["\\(", "\\)"]],
      processEscapes: true,
      packages: {"[-]": ["noerrors", "noundefined"]},  // a mistake is to be seen as one
    },
    options: {enableMenu: false},
    startup: {typeset: false},
  };
</script>
<script src="assets/mathjax/tex-svg-full.js"></script>
{% endblock -%}

{%- block html_head_css %}
<style>
  .reveal { font-size: 24px; }
  .reveal .slides section { text-align: left; }
  .reveal .slides > section > section { max-height: 100%; overflow: hidden auto; }
  .reveal .jp-Cell { padding: 0 8px; }
  .reveal .jp-RenderedHTMLCommon { font-size: 24px; line-height: 1.4; }
  .reveal .jp-RenderedHTMLCommon :is(h1, h2, h3) { text-transform: none; letter-spacing: normal; }
  .reveal .jp-RenderedHTMLCommon :is(table, th, td) { font-size: 20px; }
  .reveal .jp-RenderedHTMLCommon blockquote { width: auto; margin: 12px 0; box-shadow: none; }
  .reveal .jp-RenderedHTMLCommon img { max-height: 620px; margin: 0; }
  .reveal .anchor-link { display: none; }
  .reveal :is(.highlight pre, .jp-OutputArea pre) { font-size: 18px; line-height: 1.35; }
</style>
{% endblock -%}

{%- block footer_js %}
<script src="assets/reveal.js/dist/reveal.js"></script>
<script src="assets/reveal.js/plugin/notes/notes.js"></script>
<script>
  const HEIGHT = 800, SMALLEST = 0.6;

  function fit() {  // a slide that is too tall is shown smaller, and beyond that it scrolls
    const { style } = Reveal.getCurrentSlide();
    style.zoom = 1;
    style.zoom = Math.max(SMALLEST, Math.min(1, 0.99 * HEIGHT / Reveal.getCurrentSlide().scrollHeight));
  }

  Reveal.initialize({
    width: 1280, height: HEIGHT, margin: 0.03, center: false, hash: true, slideNumber: "c/t",
    pdfSeparateFragments: false, plugins: [RevealNotes],
  })
    .then(() => MathJax.startup.promise)
    .then(() => MathJax.typesetPromise())
    .then(() => {
      Reveal.on("slidechanged", fit);
      fit();
      document.body.dataset.ready = "yes";
    });
</script>
{% endblock -%}
"""


def title(nb):
    """The first heading of a notebook."""
    return nb.cells[0].source.splitlines()[0].lstrip("# ")


def slides(nb) -> str:
    """A page of slides that shows a notebook's cells with the outputs stored in it, and runs nothing."""
    exporter = SlidesExporter(
        raw_template=TEMPLATE, reveal_url_prefix="assets/reveal.js", reveal_theme="white"
    )
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    page, _ = exporter.from_notebook_node(nb, {"metadata": {"name": title(nb)}})
    return re.sub(r'href="([\w-]+)\.ipynb', r'href="\1.html', page)  # from slides to slides


def copy_assets(folder):
    """Put what the slides load beside them."""
    for name, (source, patterns, target) in ASSETS.items():
        source = Path(distribution(name).locate_file(source))
        for path in (path for pattern in patterns for path in source.glob(pattern)):
            copy = folder / target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def build(paths, folder) -> list[Path]:
    """Write the slides of notebooks, and what they load, into a folder; return the pages."""
    folder.mkdir(parents=True, exist_ok=True)
    copy_assets(folder)
    pages = []
    for path in paths:
        pages.append(folder / f"{path.stem}.html")
        pages[-1].write_text(slides(read(path)), encoding="utf-8", newline="\n")
    return pages


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--to", type=Path, default=ROOT / "slides", metavar="FOLDER", help="default: slides")
    args = parser.parse_args(argv)
    for page in build(args.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb")), args.to):
        print(page.relative_to(ROOT) if page.is_relative_to(ROOT) else page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
