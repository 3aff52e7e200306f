# Everything a checkout needs: make demo, make test, make check.

VENV   := .venv
BIN    := $(VENV)/bin
# The first Python that runs and is 3.11 or newer; PYTHON=... takes another.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: help demo install test lint format check docs ofx ofx-cross panels wheel clean

help:
	@echo "make demo   install, make a damaged sample shot, restore it, and say what to open"
	@echo "make test   install and run the tests"
	@echo "make check  what has to be clean before a change goes in: make lint, then make test"
	@echo "make ofx    build FilmRestore.ofx.bundle into build/ofx (wants cmake and a C++17 compiler)"
	@echo "make ofx-cross  the same for Linux, macOS and Windows in one bundle, into build/ofx-cross (wants zig)"
	@echo "make wheel  build the wheel into dist, with the bundle where one was built"
	@echo "make panels draw the pictures of the OpenFX panels anew"
	@echo "make docs   write the generated parts of the docs anew"

demo: $(VENV)/installed-demo
	$(BIN)/filmrestore demo

install: $(VENV)/installed-demo

test: $(VENV)/installed-test
	$(BIN)/pytest --numprocesses 2

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

format: $(VENV)/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/installed-test
	$(BIN)/python docs/generate.py
	$(BIN)/python ofx_bridge/generate.py

ofx:
	cmake -S ofx_bridge -B build/ofx
	cmake --build build/ofx

ofx-cross: $(VENV)/pyvenv.cfg
	$(BIN)/python ofx_bridge/cross.py

panels: ofx $(VENV)/installed-test
	$(BIN)/python docs/panels.py build/ofx/FilmRestore.ofx.bundle/Contents/Linux-x86-64/FilmRestore.ofx

wheel: $(VENV)/installed-test
	rm -rf build/lib build/bdist.*
	$(BIN)/python -m pip wheel -q --no-deps --no-build-isolation --wheel-dir dist .

clean:
	rm -rf $(VENV) demo build dist

$(VENV)/installed-demo $(VENV)/installed-test: $(VENV)/installed-%: pyproject.toml constraints.txt | $(VENV)/pyvenv.cfg
	@echo "installing into $(VENV): a few minutes, about 1.6 GB"
	$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[$*]'
	@touch $@

$(VENV)/pyvenv.cfg:
ifeq ($(PYTHON),)
	@echo "filmrestore needs Python 3.11 or newer, and none was found." >&2
	@echo "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name yours: make demo PYTHON=/path/to/python3" >&2
	@exit 1
else
	@$(PYTHON) -c 'import ensurepip, venv' || \
		{ echo "$(PYTHON) has no venv module (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
endif
