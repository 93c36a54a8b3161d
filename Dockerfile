# Denizen in one image: the binary, nothing that could build it, and nobody's root.
#
#   docker build -t denizen .
#   docker run -p 8080:8080 -v denizen:/data --env-file denizen.env denizen
#
# It runs in production mode: without DENIZEN_SECRET, DENIZEN_PUBLIC_URL and DENIZEN_SMTP_URL it says what is missing and
# stops. To have a look around: docker run -p 8080:8080 -e DENIZEN_MODE=development denizen

ARG RUST=1.95
ARG NODE=22
ARG DEBIAN=bookworm

# ── The playground, which the binary carries with it ────────────────────────────────────────────────────────────────
FROM node:${NODE}-${DEBIAN}-slim AS playground
WORKDIR /playground
COPY playground/package.json playground/package-lock.json playground/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY playground/ ./
RUN npm run build

# ── The binary ──────────────────────────────────────────────────────────────────────────────────────────────────────
FROM rust:${RUST}-slim-${DEBIAN} AS build
WORKDIR /denizen
# Line tables are for the profiler. Without them a backtrace still has the names of the functions.
ENV CARGO_PROFILE_RELEASE_DEBUG=none

# The dependencies are a layer of their own, built again only when a manifest changes. Empty sources stand in for ours:
# that takes three lines, works with every builder, and needs no further tool to be compiled and trusted, as
# cargo-chef would. What was compiled from them is removed at once: COPY keeps the files' dates, and cargo would take
# the empty crates for newer than the real ones.
COPY Cargo.toml Cargo.lock ./
COPY entity/Cargo.toml entity/
COPY migration/Cargo.toml migration/
RUN mkdir -p src entity/src migration/src tests/it \
    && touch src/lib.rs entity/src/lib.rs migration/src/lib.rs \
    && echo 'fn main() {}' | tee src/main.rs tests/it/main.rs build.rs >/dev/null \
    && cargo build --release --locked --bin denizen \
    && cargo clean --release --package denizen --package entity --package migration \
    && rm -r src entity migration tests build.rs

COPY . .
COPY --from=playground /playground/dist playground/dist
RUN cargo build --release --locked --bin denizen

# ── What runs ───────────────────────────────────────────────────────────────────────────────────────────────────────
FROM debian:${DEBIAN}-slim

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Denizen" \
      org.opencontainers.image.description="The identity subgraph: users, organisations, roles and models as one federated GraphQL API" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# By number, so that an orchestrator can see that it is not root. No package is installed: the roots of trust for TLS
# are compiled in, and the base has the C library and libgcc, which are all that the binary links to.
RUN install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=build /denizen/target/release/denizen /usr/local/bin/denizen

ENV DENIZEN_MODE=production \
    DENIZEN_LISTEN=0.0.0.0:8080 \
    DENIZEN_DATABASE_URL=sqlite:///data/denizen.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["denizen", "health"]
ENTRYPOINT ["denizen"]
CMD ["serve"]
