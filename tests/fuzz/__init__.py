"""Fuzz targets: what strangers write, fed with anything. `make test` by hypothesis, `make soak` by atheris."""
