package io.elder.cdc;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.runtime.Component;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Launcher;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import java.util.LinkedHashMap;
import java.util.Map;

/** Runs change data capture; {@code cdc connector-json} prints what another Connect cluster needs. */
public final class CdcMain {
    private CdcMain() {}

    public static void main(String[] arguments) throws JsonProcessingException {
        if (arguments.length > 0 && arguments[0].equals("connector-json")) {
            System.out.println(connectorJson(Launcher.environment()));
            return;
        }
        System.exit(Launcher.run("cdc", arguments, CdcMain::component));
    }

    /** What {@code JOBS_SOURCE} asks for. */
    public static Component component(Settings settings, Metrics metrics) {
        CdcSettings cdc = CdcSettings.from(settings);
        KafkaClients kafka = new KafkaClients(settings);
        settings.check();
        return switch (cdc.source()) {
            case CDC -> new ConnectWorker(cdc, kafka, metrics);
            case POLL -> new JobPoller(cdc, kafka, metrics);
        };
    }

    /**
     * The body of {@code POST /connectors} for a Connect cluster of the site's own, whose workers must have Debezium's
     * PostgreSQL connector, {@code exactly.once.source.support=enabled}, and Kafka's {@code EnvVarConfigProvider} by the
     * name {@code env}.
     */
    public static String connectorJson(Settings settings) throws JsonProcessingException {
        CdcSettings cdc = CdcSettings.from(settings);
        KafkaClients kafka = new KafkaClients(settings);
        settings.check();
        Map<String, String> config = ConnectorConfig.of(
                cdc,
                kafka.topics(),
                "${env:CDC_DATABASE_USER}",
                "${env:CDC_DATABASE_PASSWORD}",
                true,
                kafka.partitions(),
                kafka.replicationFactor());
        config.remove("name");
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("name", ConnectorConfig.NAME);
        body.put("config", config);
        return new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(body);
    }
}
