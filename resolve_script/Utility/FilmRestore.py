"""FilmRestore in DaVinci Resolve: hands over to the folder filmrestore_resolve beside this file's."""

import os
import sys

PAGE = "timeline"


def scripts_folders():
    """Where the support folder may lie. Resolve runs some scripts without telling them their own path."""
    if "__file__" in globals():
        yield os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    home = os.path.expanduser("~")
    inner = os.path.join("Fusion", "Scripts")
    if sys.platform == "darwin":
        for root in ("/", home):
            yield os.path.join(root, "Library/Application Support/Blackmagic Design/DaVinci Resolve", inner)
    elif sys.platform.startswith("win"):
        for name, folder in (("PROGRAMDATA", ""), ("APPDATA", "Support")):
            yield os.path.join(os.environ.get(name, ""), "Blackmagic Design", "DaVinci Resolve", folder, inner)
    else:
        yield os.path.join("/opt/resolve", inner)
        yield os.path.join("/home/resolve", inner)
        yield os.path.join(home, ".local/share/DaVinciResolve", inner)


def main():
    if sys.version_info < (3, 9):
        print("FilmRestore needs Python 3.9 or newer, this is %s: choose another one in Resolve's preferences "
              "(Fusion, Script)." % sys.version.split()[0])  # fmt: skip
        return
    looked = list(scripts_folders())
    for folder in looked:
        if os.path.isfile(os.path.join(folder, "filmrestore_resolve", "__init__.py")):
            sys.path.insert(0, folder)
            try:
                from filmrestore_resolve.main import run
            finally:
                sys.path.remove(folder)
            run(PAGE, globals())
            return
    print("FilmRestore is not all there: no folder filmrestore_resolve in %s. Run `filmrestore install resolve` again."
          % ", ".join(looked))  # fmt: skip


main()
