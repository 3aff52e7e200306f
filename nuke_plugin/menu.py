"""Run by Nuke with a user interface only: the nodes' menu."""

import nuke
from filmrestore_nuke.panel import NODES


def _add_menu() -> None:
    menu = nuke.menu("Nodes").addMenu("FilmRestore")
    for title in NODES:
        menu.addCommand(title, f"import filmrestore_nuke.group; filmrestore_nuke.group.create({title!r})")


_add_menu()
