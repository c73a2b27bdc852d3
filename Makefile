# Every target is one plain command, which works without make too. Another interpreter: make lab PYTHON=python3.12
ifeq ($(OS),Windows_NT)
PYTHON ?= python
else
PYTHON ?= python3
endif
# What else to hand to the command: make lab ARGS=--no-browser
ARGS ?=

.PHONY: lab test notebooks slides lint install

lab: ## JupyterLab, opened at the map of the course
	$(PYTHON) tools/run.py lab $(ARGS)

test: ## lint, tests, and every notebook executed again and compared
	$(PYTHON) tools/run.py test $(ARGS)

notebooks: ## execute the notebooks and store their outputs
	$(PYTHON) tools/run.py notebooks $(ARGS)

slides: ## build slides from the notebooks, into slides/
	$(PYTHON) tools/run.py slides $(ARGS)

lint: ## only the lint of code and notebooks
	$(PYTHON) tools/run.py lint $(ARGS)

install: ## only the environment
	$(PYTHON) tools/run.py install $(ARGS)
