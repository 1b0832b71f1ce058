package io.elder.cdc;

import io.elder.runtime.Database;
import io.elder.schemas.Topics;
import java.net.URI;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The configuration of Debezium's PostgreSQL connector, as Kafka Connect takes it.
 *
 * @see <a href="https://debezium.io/documentation/reference/stable/connectors/postgresql.html">Debezium's reference</a>
 */
public final class ConnectorConfig {
    /** The connector's name in Connect. */
    public static final String NAME = "elder-worker";

    static final String HEARTBEAT_MESSAGE = "elder-worker-heartbeat";

    private ConnectorConfig() {}

    /**
     * @param user and password as they are to stand in the configuration: placeholders of a config provider, since Connect
     *     keeps configurations in a topic
     * @param publicationExists otherwise Debezium creates it, for which it needs the tables' owner
     * @param partitions of topics that do not exist yet
     * @param replicationFactor of topics that do not exist yet; -1 is the broker's default
     */
    public static Map<String, String> of(
            CdcSettings settings,
            Topics topics,
            String user,
            String password,
            boolean publicationExists,
            int partitions,
            int replicationFactor) {
        Map<String, String> c = new LinkedHashMap<>();
        c.put("name", NAME);
        c.put("connector.class", "io.debezium.connector.postgresql.PostgresConnector");
        c.put("tasks.max", "1");
        database(settings.database(), c);
        c.put("database.user", user);
        c.put("database.password", password);
        c.put("plugin.name", "pgoutput");
        c.put("slot.name", settings.slot());
        c.put("slot.drop.on.stop", "false");
        c.put("publication.name", settings.publication());
        c.put("publication.autocreate.mode", publicationExists ? "disabled" : "filtered");
        c.put("snapshot.mode", settings.snapshotMode().name().toLowerCase(java.util.Locale.ROOT));

        List<String> tables = new ArrayList<>();
        List<String> columns = new ArrayList<>();
        for (String table : Topics.CAPTURED_TABLES) {
            tables.add("public\\." + table);
            columns.add("public\\." + table + "\\.(" + String.join("|", CapturedColumns.of(table)) + ")");
        }
        c.put("table.include.list", String.join(",", tables));
        c.put("column.include.list", String.join(",", columns));
        c.put("time.precision.mode", "isostring");
        c.put("decimal.handling.mode", "string");
        c.put("tombstones.on.delete", "true");
        c.put("provide.transaction.metadata", "false");

        // Without a change of a captured table the slot would hold the WAL of all others. The message is written to
        // the WAL alone: it needs no table, no right and no place in the publication.
        c.put("heartbeat.interval.ms", String.valueOf(settings.heartbeat().toMillis()));
        c.put("heartbeat.action.query", "SELECT pg_logical_emit_message(false, '" + HEARTBEAT_MESSAGE + "', '')");
        c.put("message.prefix.exclude.list", HEARTBEAT_MESSAGE);
        c.put("status.update.interval.ms", "1000");

        // Debezium names topics <prefix>.public.<table>; ours are <prefix>.<table>, keyed by the bare row id.
        String prefix = topics.prefix() + "cdc";
        c.put("topic.prefix", prefix);
        c.put("topic.heartbeat.prefix", topics.prefix() + "connect-heartbeat");
        // A truncation is Debezium's to skip unless it is told otherwise; write-back has to hear of one.
        c.put("skipped.operations", "none");
        c.put("transforms", "topic,id,truncation");
        c.put("transforms.truncation.type", TruncationKey.class.getName());
        c.put("transforms.topic.type", "org.apache.kafka.connect.transforms.RegexRouter");
        c.put("transforms.topic.regex", prefix.replace(".", "\\.") + "\\.public\\.(.*)");
        c.put("transforms.topic.replacement", prefix + ".$1");
        c.put("transforms.id.type", "org.apache.kafka.connect.transforms.ExtractField$Key");
        c.put("transforms.id.field", "id");
        c.put("transforms.id.predicate", "captured");
        c.put("predicates", "captured");
        c.put("predicates.captured.type", "org.apache.kafka.connect.transforms.predicates.TopicNameMatches");
        c.put("predicates.captured.pattern", prefix.replace(".", "\\.") + "\\.[a-z_]+");
        c.put("key.converter", "org.apache.kafka.connect.storage.StringConverter");
        c.put("value.converter", "org.apache.kafka.connect.json.JsonConverter");
        c.put("value.converter.schemas.enable", "false");
        c.put("header.converter", "org.apache.kafka.connect.storage.StringConverter");

        c.put("exactly.once.support", "required");
        c.put("transaction.boundary", "poll");
        c.put("poll.interval.ms", String.valueOf(settings.pollWait().toMillis()));
        c.put("producer.override.linger.ms", "0");
        c.put("errors.max.retries", "-1");
        c.put("retriable.restart.connector.wait.ms", "2000");

        c.put("topic.creation.default.partitions", String.valueOf(partitions));
        c.put("topic.creation.default.replication.factor", String.valueOf(replicationFactor));
        c.put("topic.creation.default.cleanup.policy", "compact");
        return c;
    }

    private static void database(Database database, Map<String, String> c) {
        URI uri = URI.create(database.jdbcUrl().substring("jdbc:".length()));
        c.put("database.hostname", uri.getHost());
        c.put("database.port", String.valueOf(uri.getPort()));
        c.put("database.dbname", uri.getPath().substring(1));
        if (uri.getQuery() != null) {
            for (String pair : uri.getQuery().split("&")) {
                int equals = pair.indexOf('=');
                String name = equals < 0 ? pair : pair.substring(0, equals);
                if (equals > 0
                        && List.of("sslmode", "sslrootcert", "sslcert", "sslkey")
                                .contains(name)) {
                    c.put("database." + name, pair.substring(equals + 1));
                }
            }
        }
    }
}
