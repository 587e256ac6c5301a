"""How the documentation is built; nothing in it needs the network."""

project = "kerasenv"
author = "the authors of kerasenv"
project_copyright = author

extensions = ["myst_parser", "sphinx.ext.doctest"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = project
