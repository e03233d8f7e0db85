# One image per service: docker build -f deploy/service.Dockerfile --build-arg SERVICE=orders .
# Its processes differ by command only: docker run souk/orders web | relay | consumer | … (deploy/image/run).
ARG PYTHON_IMAGE=python:3.13.7-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ARG SERVICE
# products has requirements-s3.txt, too, for images in a bucket.
ARG REQUIREMENTS=requirements.txt
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# pip stays outside of the environment, which is all that the result takes over.
RUN python -m venv --without-pip /opt/venv
COPY services/${SERVICE}/${REQUIREMENTS} /build/requirements.txt
# The secret `ca` is a bundle of certificates, for a network that inspects TLS; without it pip uses its own.
RUN --mount=type=secret,id=ca --mount=type=cache,target=/root/.cache/pip \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    pip --python /opt/venv/bin/python install --quiet --require-hashes --no-deps -r /build/requirements.txt

COPY deploy/image/run deploy/image/health deploy/topology.json /souk/
COPY services/servicekit/servicekit /souk/kit/servicekit
COPY services/${SERVICE} /souk/${SERVICE}
WORKDIR /souk/${SERVICE}
COPY deploy/image/assets /build/assets
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    PATH=/opt/venv/bin:$PATH PYTHONPATH=/souk/kit SERVICE=${SERVICE} /build/assets

FROM ${PYTHON_IMAGE}
ARG SERVICE
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="souk ${SERVICE}" \
      org.opencontainers.image.description="The ${SERVICE} service of Souk: web, relay, consumer and jobs." \
      org.opencontainers.image.version="${VERSION}"
RUN groupadd --gid 10001 souk \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/souk --shell /usr/sbin/nologin souk \
    && install -d -o souk -g souk -m 0700 /var/lib/souk \
    && install -d -o souk -g souk /var/lib/souk-media
COPY --from=build /opt/venv /opt/venv
COPY --from=build /souk /souk
# HOME and everything that is written lies in /run/souk (memory), /var/lib/souk and /var/lib/souk-media (volumes): the rest is read-only.
ENV SERVICE=${SERVICE} \
    PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/souk/kit \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/run/souk \
    HEARTBEAT_DIR=/run/souk \
    PROMETHEUS_MULTIPROC_DIR=/run/souk/metrics \
    METRICS_PORT=9100
WORKDIR /souk/${SERVICE}
USER 10001:10001
# 8000: web. 9100: the counters of relay, consumer and worker.
EXPOSE 8000 9100
STOPSIGNAL SIGTERM
ENTRYPOINT ["/souk/run"]
CMD ["web"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/souk/health", "web"]
