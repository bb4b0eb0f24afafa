# syntax=docker/dockerfile:1
# check=error=true
#
# One file for every image:  docker buildx build --target gateway --tag boxoffice/gateway .
# Targets: gateway, user-svc, ticket-svc, payment-svc, notify-svc, boxoffice, and `programs`, which is no
# image but the programs themselves (--output type=local,dest=out).
#
# The programs carry the list of the crates they are made of (cargo-auditable), so any scanner can read an
# SBOM out of an image. `--sbom=true --provenance=mode=max` writes it beside the image.

ARG RUST=1.95
ARG NODE=22
ARG NATS=2.14.3

FROM node:${NODE}-slim AS web
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
# Not `npm ci`: it wants the linter's programs for every platform in the lock file, and some registries lack a few.
RUN npm install --no-save
COPY web .
RUN npm run build

FROM rust:${RUST}-slim-trixie AS build
ARG CARGO_AUDITABLE=0.7.7
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    cargo install cargo-auditable --locked --version "=${CARGO_AUDITABLE}"
WORKDIR /src
COPY . .
COPY --from=web /src/web/dist/admin web/dist/admin
# The cache of a build is no layer, so what is shipped is copied out of it.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo auditable build --locked --profile dist \
        --bin gateway --bin user-svc --bin ticket-svc --bin payment-svc --bin notify-svc --bin boxoffice \
    && mkdir /out \
    && for program in gateway user-svc ticket-svc payment-svc notify-svc boxoffice; do \
         install -m 0555 "target/dist/$program" /out/ || exit 1; \
       done \
    && mkdir /images /handed-over

FROM scratch AS programs
COPY --from=build /out/ /

# What a service needs: libc, certificates of the public authorities, time zones. No shell, no package
# manager, and nobody who could be root.
FROM gcr.io/distroless/cc-debian13:nonroot AS service
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.vendor="Boxoffice" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian13:nonroot"
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /
STOPSIGNAL SIGTERM
# Nothing writes below /: run it with a read-only root.
ENV METRICS_ADDR=0.0.0.0:9464
EXPOSE 9464

FROM service AS gateway
LABEL org.opencontainers.image.title="gateway" \
      org.opencontainers.image.description="Boxoffice: the REST edge and the shop"
COPY --from=build /out/gateway /usr/local/bin/gateway
# A new volume here belongs to whom the folder belongs.
COPY --from=build --chown=65532:65532 /images /var/lib/boxoffice/images
ENV HTTP_ADDR=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/gateway"]

FROM service AS user-svc
LABEL org.opencontainers.image.title="user-svc" \
      org.opencontainers.image.description="Boxoffice: accounts of admins"
COPY --from=build /out/user-svc /usr/local/bin/user-svc
ENV GRPC_ADDR=0.0.0.0:50051
EXPOSE 50051
ENTRYPOINT ["/usr/local/bin/user-svc"]

FROM service AS ticket-svc
LABEL org.opencontainers.image.title="ticket-svc" \
      org.opencontainers.image.description="Boxoffice: concerts, stock, holds and tickets"
COPY --from=build /out/ticket-svc /usr/local/bin/ticket-svc
ENV GRPC_ADDR=0.0.0.0:50052
EXPOSE 50052
ENTRYPOINT ["/usr/local/bin/ticket-svc"]

FROM service AS payment-svc
LABEL org.opencontainers.image.title="payment-svc" \
      org.opencontainers.image.description="Boxoffice: orders and money"
COPY --from=build /out/payment-svc /usr/local/bin/payment-svc
ENV GRPC_ADDR=0.0.0.0:50053
EXPOSE 50053
ENTRYPOINT ["/usr/local/bin/payment-svc"]

FROM service AS notify-svc
LABEL org.opencontainers.image.title="notify-svc" \
      org.opencontainers.image.description="Boxoffice: receipts and documents"
COPY --from=build /out/notify-svc /usr/local/bin/notify-svc
# A new volume here belongs to whom the folder belongs.
COPY --from=build --chown=65532:65532 /handed-over /var/lib/boxoffice/handed-over
ENV HANDED_OVER_DIR=/var/lib/boxoffice/handed-over
ENV GRPC_ADDR=0.0.0.0:50054
EXPOSE 50054
ENTRYPOINT ["/usr/local/bin/notify-svc"]

FROM nats:${NATS}-alpine AS nats

# The all-in-one, with a PostgreSQL and a nats-server of its own. All that it keeps is in /data.
FROM debian:trixie-slim AS boxoffice
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="boxoffice" \
      org.opencontainers.image.description="Boxoffice: the whole box office in one process" \
      org.opencontainers.image.vendor="Boxoffice" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="docker.io/library/debian:trixie-slim"
# Debian's newest patch release is wanted, not the one of the day this was written.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
       ca-certificates postgresql tini tzdata \
    # The package makes a cluster; the one that is used is made in /data.
    && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/* \
    # initdb asks who it is, so the number needs a name.
    && useradd --uid 65532 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin boxoffice \
    && install -d -o boxoffice -g boxoffice -m 0750 /data
COPY --from=nats /usr/local/bin/nats-server /usr/local/bin/nats-server
COPY --from=build /out/boxoffice /usr/local/bin/boxoffice
USER 65532:65532
WORKDIR /data
VOLUME /data
STOPSIGNAL SIGTERM
ENV BOXOFFICE_DATA_DIR=/data \
    HTTP_ADDR=0.0.0.0:8080 \
    NATS_SERVER_BIN=/usr/local/bin/nats-server
EXPOSE 8080
# PostgreSQL's children need somebody who buries them.
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/boxoffice"]
