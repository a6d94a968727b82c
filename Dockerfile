# One image for all processes; the command decides: `enqueuer` (the default), `worker`, or `larder …`.
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /src
# How many compilers run at once; empty for one on each processor. Fewer where memory is short.
ARG BUILD_JOBS=

# Libraries first, with empty crates in our places: this layer is built again only when Cargo.lock or a Cargo.toml
# changes, and it is most of the time.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY shared/Cargo.toml shared/
COPY enqueuer/Cargo.toml enqueuer/
COPY worker/Cargo.toml worker/
COPY sandbox/Cargo.toml sandbox/
COPY larder/Cargo.toml larder/
RUN for crate in shared enqueuer worker sandbox larder; do mkdir $crate/src && touch $crate/src/lib.rs; done \
    && for crate in enqueuer worker larder; do echo 'fn main() {}' > $crate/src/main.rs; done \
    && cargo build --release --locked --workspace ${BUILD_JOBS:+--jobs $BUILD_JOBS}

# Cargo goes by time, and the files of the checkout are older than the empty ones were.
COPY . .
RUN find . -path ./target -prune -o -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --workspace ${BUILD_JOBS:+--jobs $BUILD_JOBS} \
    && mkdir /out && cp target/release/larder target/release/enqueuer target/release/worker /out/ \
    # Symbols are a good part of them, and only a debugger reads them.
    && strip /out/*

FROM ${RUNTIME_IMAGE}
# The authorities that calls to providers trust; nothing else is needed that the image has not.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin larder
COPY --from=build /out/ /usr/local/bin/
USER larder
WORKDIR /var/empty
# In a container the loopback address reaches nobody.
ENV LARDER__ENQUEUER__LISTEN=0.0.0.0:8080 \
    LARDER__WORKER__LISTEN=0.0.0.0:8081
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD larder health http://127.0.0.1:8080/healthz || larder health http://127.0.0.1:8081/healthz
CMD ["enqueuer"]
