# What runs inside the shop's networks beside the services: audit, demo, the mail sink. docker build -f deploy/ops.Dockerfile .
ARG PYTHON_IMAGE=python:3.13.7-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/venv
COPY deploy/requirements.txt /build/requirements.txt
RUN --mount=type=secret,id=ca --mount=type=cache,target=/root/.cache/pip \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    pip --python /opt/venv/bin/python install --quiet --require-hashes --no-deps -r /build/requirements.txt
COPY tools/shopper /souk/tools/shopper
COPY tools/demo /souk/tools/demo
COPY tools/audit /souk/tools/audit
COPY tools/mailsink /souk/tools/mailsink
COPY deploy/topology.json /souk/deploy/topology.json
RUN python -m compileall -q /souk

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="souk ops" \
      org.opencontainers.image.description="Audit, demo and mail sink of Souk." \
      org.opencontainers.image.version="${VERSION}"
RUN groupadd --gid 10001 souk \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/souk --shell /usr/sbin/nologin souk \
    && install -d -o souk -g souk -m 0700 /var/lib/souk
COPY --from=build /opt/venv /opt/venv
COPY --from=build /souk /souk
# What clients were told is kept in the state folder: a volume.
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SOUK_STATE_DIR=/var/lib/souk
WORKDIR /souk
USER 10001:10001
ENTRYPOINT ["python"]
CMD ["tools/audit"]
