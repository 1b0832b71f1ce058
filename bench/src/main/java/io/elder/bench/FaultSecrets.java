package io.elder.bench;

import io.elder.runtime.KafkaClients;
import io.elder.runtime.WholeTopics;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Looks for the secrets of a campaign wherever the roles write: topics, logs, pages for operators, tables. */
final class FaultSecrets {
    private static final int PIECE = 1 << 20;

    /** No secret: a person's name, which is to be found. */
    private static final String CONTROL = "control";

    /** Columns in which Elder itself keeps what is secret. */
    private static final String THEIR_PLACES = "{config_json, password_hash, mfa_secret}";

    /** By name, what must be found nowhere. */
    private final Map<String, String> secrets;

    private final List<String> found = new ArrayList<>();
    private long searched;

    FaultSecrets(Canaries canaries) {
        Map<String, String> all = canaries.all();
        all.put(CONTROL, FaultOracle.PERSON);
        this.secrets = Map.copyOf(all);
    }

    /** How many bytes of topics and logs were searched. */
    long searched() {
        return searched;
    }

    /** Where secrets were found; and where the control was not. */
    List<String> search(FaultySite site, RoleProcesses roles, Path folder)
            throws IOException, SQLException, ExecutionException, InterruptedException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path log :
                    files.filter(file -> file.toString().endsWith(".log")).toList()) {
                file(log);
            }
        }
        for (String role : roles.names()) {
            for (String page : List.of("/healthz", "/metrics", "/status")) {
                text(role + page, roles.page(role, page).orElse(""));
            }
        }
        topics(site.kafka());
        try (Connection connection = site.connect()) {
            tables(connection);
        }
        Set<String> all = new TreeSet<>(found);
        for (String must : List.of("topic elder.cdc.identities", "table public.identities")) {
            if (!all.contains(CONTROL + " in " + must)) {
                all.add("no " + CONTROL + " in " + must + " (expected: it is no secret, and a search finds it)");
            }
        }
        all.removeIf(one -> one.startsWith(CONTROL + " in "));
        return List.copyOf(all);
    }

    private void file(Path log) throws IOException {
        int longest = secrets.values().stream().mapToInt(String::length).max().orElse(0);
        try (var in = Files.newInputStream(log)) {
            byte[] piece = new byte[PIECE];
            String rest = "";
            for (int read = in.read(piece); read >= 0; read = in.read(piece)) {
                String text = rest + new String(piece, 0, read, StandardCharsets.ISO_8859_1);
                text(log.getFileName().toString(), text);
                // A secret may lie across two pieces.
                rest = text.substring(Math.max(0, text.length() - longest));
            }
        }
    }

    private void topics(KafkaClients kafka) throws ExecutionException, InterruptedException {
        Set<String> names;
        try (Admin admin = Admin.create(kafka.common())) {
            names = admin.listTopics(new ListTopicsOptions().listInternal(true))
                    .names()
                    .get();
        }
        Map<String, Object> settings = new LinkedHashMap<>(kafka.consumer("secrets"));
        // What was written and given up is on the disk all the same.
        settings.put("isolation.level", "read_uncommitted");
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            WholeTopics.read(consumer, names, record -> {
                bytes(record.topic(), record.key());
                bytes(record.topic(), record.value());
                for (Header header : record.headers()) {
                    bytes(record.topic(), header.value());
                }
            });
        }
    }

    private void tables(Connection connection) throws SQLException {
        List<String> tables = new ArrayList<>();
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("select format('%I.%I', schemaname, tablename) from pg_tables"
                        + " where schemaname in ('public', 'pipeline')")) {
            while (row.next()) {
                tables.add(row.getString(1));
            }
        }
        for (String table : tables) {
            for (Map.Entry<String, String> secret : secrets.entrySet()) {
                String text = "(to_jsonb(t) - '" + THEIR_PLACES + "'::text[])::text";
                try (var query = connection.prepareStatement(
                        "select exists (select from " + table + " t where strpos(" + text + ", ?) > 0)")) {
                    query.setString(1, secret.getValue());
                    try (ResultSet row = query.executeQuery()) {
                        row.next();
                        if (row.getBoolean(1)) {
                            found.add(secret.getKey() + " in table " + table);
                        }
                    }
                }
            }
        }
    }

    private void bytes(String where, byte[] data) {
        if (data != null) {
            text("topic " + where, new String(data, StandardCharsets.ISO_8859_1));
        }
    }

    private void text(String where, String text) {
        searched += text.length();
        secrets.forEach((name, secret) -> {
            if (text.contains(secret)) {
                found.add(name + " in " + where);
            }
        });
    }
}
