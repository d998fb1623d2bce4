# syntax=docker/dockerfile:1.7
#
# One file for every image:
#
#   docker build --target collector --tag footman/collector:0.1.0 .
#   docker build --target writer    --tag footman/writer:0.1.0 .
#   docker build --target footman   --tag footman/footman:0.1.0 .
#   docker build --target simulator --tag footman/simulator:0.1.0 .
#
# The bases are pinned by tag. Where you want the same bytes for ever, pin them by digest:
#
#   docker buildx imagetools inspect rust:1.95-slim-bookworm              # shows the digest
#   docker build --build-arg BUILDER=rust:1.95-slim-bookworm@sha256:… \
#                --build-arg RUNTIME=gcr.io/distroless/cc-debian12:nonroot@sha256:… …
#
# With BuildKit, --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) gives the layers the time
# of the commit in the place of the time of the build.

# Both are Debian 12, so that the programs find the C library that they were linked with.
ARG BUILDER=rust:1.95-slim-bookworm
# C library, libgcc, the system's authorities and time zones; no shell and no package manager.
ARG RUNTIME=gcr.io/distroless/cc-debian12:nonroot

# ---------------------------------------------------------------------------------------------
FROM ${BUILDER} AS builder

WORKDIR /src
# Paths of the build machine stay out of the programs, and the same sources give the same programs.
ENV CARGO_INCREMENTAL=0 \
    CARGO_PROFILE_RELEASE_STRIP=debuginfo \
    RUSTFLAGS="--remap-path-prefix=/src=footman --remap-path-prefix=/usr/local/cargo=cargo"

COPY Cargo.toml Cargo.lock ./
COPY shared shared
COPY collector collector
COPY writer writer
COPY footman footman
COPY simulator simulator
# Members of the workspace, which cargo wants to see; nothing of them is compiled.
COPY tests tests

RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --locked --release --bins -p collector -p writer -p footman -p simulator \
 && install -D -t /out/bin target/release/collector target/release/writer \
        target/release/footman target/release/simulator \
 && mkdir -p /out/empty

# ---------------------------------------------------------------------------------------------
FROM ${RUNTIME} AS base

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.vendor="Footman"

COPY LICENSE /usr/share/doc/footman/LICENSE
# What a new volume of these places belongs to. Everything else may be read-only, but for /tmp.
COPY --from=builder --chown=65532:65532 /out/empty /var/lib/footman
WORKDIR /var/lib/footman
USER 65532:65532
# The programs drain on it, for `shutdownGrace` at most.
STOPSIGNAL SIGTERM

# ---------------------------------------------------------------------------------------------
FROM base AS collector

LABEL org.opencontainers.image.title="Footman collector" \
      org.opencontainers.image.description="Polls Qlik Sense and publishes what it finds."
COPY --from=builder /out/bin/collector /usr/local/bin/collector
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s --retries=4 \
    CMD ["collector", "--health", "--config", "/etc/footman/footman.yaml"]
ENTRYPOINT ["collector"]
CMD ["--config", "/etc/footman/footman.yaml"]

# ---------------------------------------------------------------------------------------------
FROM base AS writer

LABEL org.opencontainers.image.title="Footman writer" \
      org.opencontainers.image.description="Consumes events and stores them in InfluxDB."
COPY --from=builder /out/bin/writer /usr/local/bin/writer
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s --retries=4 \
    CMD ["writer", "--health", "--config", "/etc/footman/footman.yaml"]
ENTRYPOINT ["writer"]
CMD ["--config", "/etc/footman/footman.yaml"]

# ---------------------------------------------------------------------------------------------
FROM base AS simulator

LABEL org.opencontainers.image.title="Footman simulator" \
      org.opencontainers.image.description="A Qlik Sense site that answers like the real one."
COPY --from=builder /out/bin/simulator /usr/local/bin/simulator
COPY --from=builder --chown=65532:65532 /out/empty /certificates
HEALTHCHECK --interval=5s --timeout=10s --start-period=60s --retries=12 \
    CMD ["simulator", "--health", "--control", "127.0.0.1:9790"]
ENTRYPOINT ["simulator"]
CMD ["--directory", "/certificates", "--first-address", "0.0.0.0", "--one-address", "--control", "127.0.0.1:9790"]

# ---------------------------------------------------------------------------------------------
# The last one, and so the one of a build without a target: the command that people type, and the
# whole product in one process (`footman run`).
FROM base AS footman

LABEL org.opencontainers.image.title="Footman" \
      org.opencontainers.image.description="Qlik Sense into InfluxDB: run, check, doctor, dead letters."
COPY --from=builder /out/bin/footman /usr/local/bin/footman
# Most of its commands end by themselves. For `footman run`, look at /healthz of `collector.http`.
HEALTHCHECK NONE
ENTRYPOINT ["footman"]
CMD ["run", "--config", "/etc/footman/footman.yaml"]
