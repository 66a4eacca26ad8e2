# make demo · make test · make quick · make lint · make docs · make dist · make matrix · make bench: each sets up what it needs first.

PYTHON ?= python3
VENV := .venv
DOCS_VENV := .venv-docs
CELLPOSE3_VENV := .venv-cellpose3
SPATIALDATA_VENV := .venv-spatialdata
WRITERS_VENV := .venv-writers
DIST_VENV := .venv-dist
BIN := $(VENV)/bin
PACKAGES := core plugins/filters plugins/geojson plugins/measure plugins/ome-zarr plugins/pictures plugins/spatialdata plugins/tiff plugins/threshold plugins/watershed
NETWORKS := plugins/bioimageio plugins/cellpose plugins/stardist# their libraries take gigabytes, so the demo goes without
MICROSCOPES := plugins/bioio# likewise, with licences of their own
VIEWER := plugins/view# no run needs it
EDITABLE := $(foreach package,$(PACKAGES),-e $(package))
MANIFESTS := pyproject.toml $(foreach package,$(PACKAGES) $(NETWORKS) $(MICROSCOPES) $(VIEWER),$(package)/pyproject.toml)
TYPED := core/src plugins/bioimageio/src plugins/bioio/src plugins/cellpose/src plugins/filters/src plugins/geojson/src plugins/measure/src plugins/ome-zarr/src plugins/pictures/src plugins/spatialdata/src plugins/tiff/src plugins/threshold/src plugins/watershed/src plugins/stardist/src plugins/view/src docs/demo

# What tests compile is kept, whatever the shell says: else each of their many processes compiles what it imports.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test quick test-cellpose3 test-spatialdata test-writers test-azure lint mypy docs dist matrix faults cluster bench accuracy accuracy-cellpose accuracy-stardist format clean

demo: $(VENV)/demo.stamp
	$(BIN)/python docs/demo/demo.py $(if $(IMAGE),--image "$(IMAGE)")

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n auto

quick: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n auto -m "not slow"

# Cellpose 3 wants an older numpy than all the rest.
test-cellpose3: $(CELLPOSE3_VENV)/cellpose3.stamp
	$(CELLPOSE3_VENV)/bin/python -m pytest -n auto plugins/cellpose

# SpatialData wants an older dask.
test-spatialdata: $(SPATIALDATA_VENV)/spatialdata.stamp
	$(SPATIALDATA_VENV)/bin/python -m pytest plugins/spatialdata "tests/writers/test_stores.py::test_what_it_writes_is_read[spatialdata]"

# The libraries that write and open OME-Zarr have an environment of their own; napari's pytest plugin warns in it.
test-writers: $(WRITERS_VENV)/writers.stamp
	$(WRITERS_VENV)/bin/python -m pytest -W ignore tests/writers

# Azure's object store is emulated by a package of npm.
test-azure: $(VENV)/dev.stamp .cache/azurite
	PATH="$(CURDIR)/.cache/azurite/node_modules/.bin:$$PATH" $(BIN)/python -m pytest tests/integration/test_azure.py

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) mypy

mypy: $(VENV)/dev.stamp
	$(BIN)/mypy $(TYPED)

# A warning, such as a link that leads nowhere, is an error. (With --quiet none is counted.)
docs: $(DOCS_VENV)/docs.stamp
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=core/src $(DOCS_VENV)/bin/python -m mkdocs build --strict

# Builds all distributions into dist/, checks them, and runs the README's first example on their wheels in a fresh environment.
dist: $(VENV)/dist.stamp
	rm -rf dist
	set -e; for package in $(PACKAGES) $(NETWORKS) $(MICROSCOPES) $(VIEWER); do $(BIN)/python -m build --no-isolation --outdir dist $$package; done
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	$(PYTHON) -m venv --clear $(DIST_VENV)
	$(DIST_VENV)/bin/python -m pip install --quiet dist/tilewright-*.whl $(foreach package,$(filter plugins/%,$(PACKAGES)),dist/tilewright_$(subst -,_,$(notdir $(package)))-*.whl)
	awk '/^```/ {if (inside) exit; inside = /python/; next} inside' README.md | $(DIST_VENV)/bin/python -

# Those Pythons that are installed here, with the newest and the lowest declared dependencies; see noxfile.py.
matrix: $(VENV)/matrix.stamp
	$(BIN)/nox

faults: $(VENV)/dev.stamp
	$(BIN)/python -W ignore tests/faults/exactness.py --cases 2000
	$(BIN)/python tests/faults/kill.py --rounds 50
	$(BIN)/python tests/faults/kill.py --rounds 50 --merger overlap --writer zarr-array
	$(BIN)/python tests/faults/kill.py --rounds 20 --segmenter network
	$(BIN)/python tests/faults/bucket_kill.py --rounds $(or $(ROUNDS),20)
	$(BIN)/python tests/faults/measured.py --rounds 20
	$(BIN)/python tests/faults/measured.py --rounds 20 --kind run
	$(BIN)/python tests/faults/workflow.py --kills 20
	$(BIN)/python tests/faults/plate.py --kills 20
	$(BIN)/python tests/faults/workers.py --rounds 10
	$(BIN)/python tests/faults/jobs.py --rounds 10
	$(BIN)/python tests/faults/jobs.py --rounds 5 --segmenter slow-network
	$(BIN)/python tests/faults/full.py
	$(BIN)/python tests/faults/full.py --writer zarr-array
	$(BIN)/python -W ignore tests/faults/changes.py
	$(BIN)/python -W ignore tests/faults/table_changes.py
	$(BIN)/python -W ignore tests/faults/labels_at_once.py --rounds 200
	TILEWRIGHT_EXAMPLES=2000 $(BIN)/python -m pytest --timeout 0 tests/test_fuzz_metadata.py tests/test_fuzz_tiff.py

# A SLURM on this machine, as root; test_slurm.py is its short form.
cluster: $(VENV)/dev.stamp
	apt-get install --yes slurm-wlm munge
	$(BIN)/python tests/cluster/slurm_jobs.py --rounds $(or $(ROUNDS),10)

bench: $(VENV)/bench.stamp
	$(BIN)/python tests/benchmarks --runs $(or $(RUNS),5)

accuracy: $(VENV)/dev.stamp
	$(BIN)/python tests/benchmarks/accuracy --seeds $(or $(SEEDS),5)

accuracy-stardist: $(VENV)/dev.stamp
	$(BIN)/python plugins/stardist/benchmarks/tiling.py
	$(BIN)/python plugins/stardist/benchmarks/tiling.py --dimensions 3

# Two hours; make accuracy-cellpose BIN=.venv-cellpose3/bin takes Cellpose 3.
accuracy-cellpose: $(VENV)/dev.stamp $(CELLPOSE3_VENV)/cellpose3.stamp
	OMP_NUM_THREADS=1 $(BIN)/python plugins/cellpose/benchmarks/accuracy.py

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(CELLPOSE3_VENV) $(SPATIALDATA_VENV) $(WRITERS_VENV) $(DOCS_VENV) $(DIST_VENV) .nox dist demo-output site

# pip older than 25.1 knows no dependency groups, and one -e makes only one package editable.
$(VENV)/pip.stamp:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	touch $@

$(VENV)/dev.stamp: EDITABLE += $(foreach package,$(NETWORKS) $(MICROSCOPES) $(VIEWER),-e $(package))

$(VENV)/%.stamp: $(MANIFESTS) $(VENV)/pip.stamp
	$(BIN)/python -m pip install --quiet --group $* $(EDITABLE)
	touch $@

# The pages need no library of the packages: their reference is made from the sources.
$(DOCS_VENV)/docs.stamp: pyproject.toml
	$(PYTHON) -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(DOCS_VENV)/bin/python -m pip install --quiet --group docs
	touch $@

$(CELLPOSE3_VENV)/cellpose3.stamp: pyproject.toml core/pyproject.toml plugins/cellpose/pyproject.toml
	$(PYTHON) -m venv $(CELLPOSE3_VENV)
	$(CELLPOSE3_VENV)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(CELLPOSE3_VENV)/bin/python -m pip install --quiet --group cellpose3 -e core -e plugins/cellpose
	touch $@

$(SPATIALDATA_VENV)/spatialdata.stamp: pyproject.toml core/pyproject.toml plugins/measure/pyproject.toml plugins/ome-zarr/pyproject.toml plugins/spatialdata/pyproject.toml
	$(PYTHON) -m venv $(SPATIALDATA_VENV)
	$(SPATIALDATA_VENV)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(SPATIALDATA_VENV)/bin/python -m pip install --quiet --group spatialdata -e core -e plugins/measure -e plugins/ome-zarr -e plugins/spatialdata
	touch $@

$(WRITERS_VENV)/writers.stamp: pyproject.toml core/pyproject.toml plugins/ome-zarr/pyproject.toml
	$(PYTHON) -m venv $(WRITERS_VENV)
	$(WRITERS_VENV)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(WRITERS_VENV)/bin/python -m pip install --quiet --group writers -e core -e plugins/ome-zarr
	touch $@

.cache/azurite:
	npm install --silent --prefix $@ azurite@3
