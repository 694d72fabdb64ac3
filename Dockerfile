# The server over HTTP; the database is somebody else's: MCP_MEMORY_DATABASE_URL.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE config.example.json ./
COPY mcp_memory ./mcp_memory
COPY migrations ./migrations
RUN pip install --no-cache-dir --prefix=/install .

FROM python:3.13-slim
COPY --from=build /install /usr/local
RUN useradd --system --uid 10001 --create-home memory
USER memory
EXPOSE 8720
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8720/healthz', timeout=4)"]
ENTRYPOINT ["mcp-memory"]
CMD ["serve", "--transport", "streamable-http", "--host", "0.0.0.0", "--port", "8720"]
