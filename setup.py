"""Puts the hosts' adapters, which lie beside the engine in a checkout, inside the package in a wheel."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
ADAPTERS = ("nuke_plugin", "resolve_script", "ofx_bridge")
BUNDLES = ("build/ofx-cross", "build/ofx")  # the first that is there


class BuildWithAdapters(build_py):
    """An editable install reads them from the checkout."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "filmrestore" / "adapters"
        shutil.rmtree(target, ignore_errors=True)  # of an earlier build
        unwanted = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
        for name in ADAPTERS:
            shutil.copytree(ROOT / name, target / name, ignore=unwanted)
        for folder in BUNDLES:
            bundle = ROOT / folder / "FilmRestore.ofx.bundle"
            if bundle.is_dir():
                shutil.copytree(bundle, target / bundle.name, ignore=unwanted)
                break


setup(cmdclass={"build_py": BuildWithAdapters})
