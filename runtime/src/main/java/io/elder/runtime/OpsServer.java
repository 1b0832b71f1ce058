package io.elder.runtime;

import io.elder.schemas.serde.SchemaRegistry;
import io.javalin.Javalin;
import io.javalin.util.JavalinBindException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@code /healthz}, {@code /metrics} and {@code /status} of a process. */
public final class OpsServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(OpsServer.class);

    private final Javalin server;

    /** @param port 0 for a free one */
    public OpsServer(String host, int port, String service, Component component, Metrics metrics) {
        server = Javalin.create(config -> {
            config.startup.showJavalinBanner = false;
            config.routes.get("/healthz", context -> {
                Health health = health(component);
                context.status(health.ok() ? 200 : 503)
                        .json(Map.of("status", health.ok() ? "healthy" : "unhealthy", "reasons", health.reasons()));
            });
            config.routes.get("/metrics", context -> context.contentType("text/plain; version=0.0.4; charset=utf-8")
                    .result(metrics.scrape()));
            config.routes.get("/status", context -> {
                Health health = health(component);
                Map<String, Object> status = new LinkedHashMap<>();
                status.put("service", "elder-worker");
                status.put("role", service);
                status.put("status", health.ok() ? "healthy" : "unhealthy");
                status.put("running", true);
                status.put("reasons", health.reasons());
                status.putAll(component.status());
                context.json(status);
            });
        });
        try {
            server.start(host, port);
        } catch (JavalinBindException e) {
            throw new PortTakenException("HEALTH_CHECK_PORT", host, port, e);
        }
        LOG.info("{}: /healthz, /metrics and /status on http://{}:{}", service, host, server.port());
    }

    /** Who knows all schemas that it needs is well without a registry; who has to ask for one is not. */
    private static Health health(Component component) {
        return Health.all(component.health(), new Health(SchemaRegistry.troubles()));
    }

    public int port() {
        return server.port();
    }

    @Override
    public void close() {
        server.stop();
    }
}
