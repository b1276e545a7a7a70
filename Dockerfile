# The application in a container; the database stands in another, see compose.yaml.

FROM node:22-bookworm-slim AS browser
WORKDIR /app
COPY package.json package-lock.json .npmrc run ./
RUN ./run vendor

FROM python:3.12-slim-bookworm
WORKDIR /app
ENV PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    FIELDOPS_HOME=/var/lib/fieldops \
    FIELDOPS_HOST=0.0.0.0 \
    PORT=8000
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY fieldops fieldops
COPY gis gis
COPY templates templates
COPY --from=browser /app/fieldops/static/vendor fieldops/static/vendor
# Whoever breaks in can change neither the program nor its libraries.
RUN python -c "from fieldops.language import compile_catalogues; compile_catalogues()" \
    && useradd --system --home-dir /var/lib/fieldops --create-home fieldops
USER fieldops
VOLUME /var/lib/fieldops
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-c", "from fieldops.cli import main; main()"]
CMD ["serve"]
