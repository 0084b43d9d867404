# syntax=docker/dockerfile:1
# A glibc base: the expression library has no wheels for musl.
FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/build && python -m venv /opt/syncd
COPY requirements.txt requirements-build.txt ./
RUN /opt/build/bin/python -m pip install --require-hashes -r requirements-build.txt \
 && /opt/syncd/bin/python -m pip install --require-hashes --only-binary :all: -r requirements.txt
# .dockerignore lets in what the wheel is made of and nothing else.
COPY . .
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/syncd/bin/python -m pip install --no-deps /dist/*.whl \
 && /opt/syncd/bin/python -m pip check \
 && /opt/syncd/bin/python -m pip uninstall --yes pip

FROM python:3.12-slim
RUN groupadd --system --gid 10001 syncd \
 && useradd --system --uid 10001 --gid syncd --home-dir /var/lib/syncd --shell /usr/sbin/nologin syncd \
 && install -d -o syncd -g syncd -m 0700 /var/lib/syncd \
 && install -d /etc/syncd
COPY --from=build /opt/syncd /opt/syncd
# The store, its key and its lock lie in the volume; nothing else is written, so the root file system may be read-only.
ENV PATH=/opt/syncd/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SYNCD_CONFIG=/etc/syncd/syncd.yaml \
    SYNCD_DATA_DIR=/var/lib/syncd
USER 10001:10001
# Webhooks, where an app says `hooks: true`: plain HTTP for the reverse proxy before it.
ENV SYNCD_BIND_ADDRESS=0.0.0.0:8080
EXPOSE 8080
WORKDIR /var/lib/syncd
VOLUME /var/lib/syncd
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s --retries=3 CMD ["syncd", "status", "--alive"]
ENTRYPOINT ["syncd"]
CMD ["run"]
