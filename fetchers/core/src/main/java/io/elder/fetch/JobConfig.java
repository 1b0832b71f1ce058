package io.elder.fetch;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.TextNode;
import io.elder.runtime.Health;
import io.elder.runtime.Redactor;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.Task;
import java.net.URI;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.sql.DataSource;

/**
 * Settings of jobs: the environment, overlaid with the row's configuration and what its credential reference points to.
 * All of it is read anew for every task, so that a rotated password serves at once and no secret is kept.
 */
final class JobConfig implements Jobs {
    private static final ObjectMapper JSON = new ObjectMapper();
    /** Fields that hold all of a job's credentials, as an object or as a reference to a secret of several fields. */
    private static final Set<String> CREDENTIALS = Set.of("CREDENTIALS", "CREDENTIAL", "CREDENTIALS_FILE");

    /** Secrets in a kubeconfig, be it YAML or JSON. */
    private static final Pattern WITHIN =
            Pattern.compile("\\b(?:token|password|client-key-data)[\"']?\\s*:\\s*[\"']?([^\"'\\s,}]{3,})");

    /** Waiting tasks ask at least once a minute: who has not asked for longer waits no more. */
    private static final Duration FORGOTTEN = Duration.ofMinutes(2);

    private final Settings environment;
    private final Optional<DataSource> database;
    private final SecretStore secrets;
    private final List<String> allowedEndpoints;
    private final Map<String, JobFields> fields;
    private volatile Trouble trouble;

    /**
     * @param database empty where there are only connectors
     * @param allowedEndpoints hosts that a job may name as an endpoint override
     * @param fields by provider
     */
    JobConfig(
            Settings environment,
            Optional<DataSource> database,
            SecretStore secrets,
            List<String> allowedEndpoints,
            Map<String, JobFields> fields) {
        this.environment = environment;
        this.database = database;
        this.secrets = secrets;
        this.allowedEndpoints = allowedEndpoints;
        this.fields = fields;
    }

    /** Not well while tasks wait for a database that does not say how their jobs are configured. */
    Health health() {
        Trouble now = trouble;
        return now == null || System.nanoTime() - now.sinceNanos() > FORGOTTEN.toNanos()
                ? Health.OK
                : Health.notReady("database: how jobs are configured can't be read: " + now.message());
    }

    private record Trouble(String message, long sinceNanos) {}

    @Override
    public Configured configuration(Task task) throws SQLException {
        try {
            Configured configured = read(task);
            if (task.getJobId() != null) {
                trouble = null;
            }
            return configured;
        } catch (SQLException e) {
            trouble = new Trouble(
                    Redactor.ofSettings(environment.values()).redact(String.valueOf(e.getMessage())),
                    System.nanoTime());
            throw e;
        }
    }

    private Configured read(Task task) throws SQLException {
        String prefix = prefix(task.getProvider());
        Map<String, String> values = new LinkedHashMap<>(environment.values());
        Set<String> known = new LinkedHashSet<>();
        environment.find(prefix + "CREDENTIALS_FILE").ifPresent(file -> {
            Map<String, String> fields = new LinkedHashMap<>();
            String content = SecretStore.read(Path.of(file), prefix + "CREDENTIALS_FILE");
            layFields(prefix, content, fields);
            fields.forEach(values::putIfAbsent);
            known.addAll(fields.values());
            addInner(content, known);
        });
        if (task.getJobId() != null) {
            JobFields rules = fields.getOrDefault(task.getProvider(), JobFields.USUAL);
            Map<String, String> job = job(task.getJobId(), prefix, rules, known);
            if (job.keySet().stream().anyMatch(name -> redirects(name, prefix, rules, job))) {
                // Else a job that names its own server would be sent the site's password.
                values.keySet()
                        .removeIf(
                                name -> name.startsWith(prefix) && rules.isCredential(name.substring(prefix.length())));
            }
            for (JobFields.Alternatives each : rules.alternatives()) {
                if (each.fields().stream().anyMatch(field -> job.containsKey(prefix + field))) {
                    each.fields().forEach(field -> values.remove(prefix + field));
                    each.andTheirs().forEach(field -> values.remove(prefix + field));
                }
            }
            // A job that names one region, project or subscription means that one, whatever list the environment has.
            job.keySet().forEach(name -> values.remove(name + "S"));
            values.putAll(job);
        }
        values.forEach((name, value) -> {
            // KUBECONFIG alone is where the site's own kubeconfig is.
            if (Redactor.isSecret(name) && !name.equals("KUBECONFIG")) {
                addInner(value, known);
            }
        });
        return new Configured(Settings.of(values), Redactor.of(known));
    }

    static String prefix(String provider) {
        return provider.toUpperCase(Locale.ROOT) + "_";
    }

    private boolean redirects(String name, String prefix, JobFields rules, Map<String, String> job) {
        return rules.redirects(name.substring(prefix.length()))
                && !job.get(name).equals(environment.find(name).orElse(""));
    }

    /** Values within a secret that is JSON, such as the private key of a service account, are secrets of their own. */
    private static void addInner(String secret, Set<String> known) {
        known.add(secret);
        addWithin(secret, known);
        if (secret.stripLeading().startsWith("{")) {
            try {
                Map<String, String> inner = new LinkedHashMap<>();
                flatten("", JSON.readTree(secret), inner);
                inner.forEach((name, value) -> {
                    if (Redactor.isSecret(name)) {
                        known.add(value);
                    }
                });
            } catch (JsonProcessingException unused) {
                // Then it is no JSON, only begins like it.
            }
        }
    }

    private static void addWithin(String text, Set<String> known) {
        Matcher inner = WITHIN.matcher(text);
        while (inner.find()) {
            known.add(inner.group(1));
        }
    }

    /** A JSON object has fields like those of a job. Anything else, such as a kubeconfig, is for the provider to read. */
    private static void layFields(String prefix, String content, Map<String, String> values) {
        if (!content.stripLeading().startsWith("{")) {
            return;
        }
        flatten(prefix, json(prefix + "CREDENTIALS_FILE", content), values);
    }

    private Map<String, String> job(int id, String prefix, JobFields rules, Set<String> known) throws SQLException {
        DataSource source = database.orElseThrow(() -> new BadConfigurationException(
                "job " + id + ": DATABASE_URL is not set, so its configuration can't be read"));
        JsonNode row;
        Optional<String> secret = Optional.empty();
        try (Connection connection = source.getConnection()) {
            row = row(connection, id);
            if (row.path("credential_type").asText("").equals("builtin_secret")) {
                secret = Optional.of(builtinSecret(connection, id));
            }
        }
        Map<String, String> values = new LinkedHashMap<>();
        JsonNode config = row.path(row.has("config_json") ? "config_json" : "config");
        flatten(prefix, resolvedLists(id, config, known), values);
        checkEndpoints(id, prefix, values);
        rules.refused().forEach((field, expected) -> {
            if (values.containsKey(prefix + field)) {
                throw new BadConfigurationException(
                        "job " + id + ": " + field.toLowerCase(Locale.ROOT) + " (expected: " + expected + ")");
            }
        });
        resolve(id, prefix, values, known);
        String type = row.path("credential_type").asText("none");
        switch (type) {
            case "none", "static", "", "null" -> {}
            case "secret" -> {
                // By its name, where the configuration says it; ids of Elder's vaults mean nothing to a fetcher.
                if (!values.containsKey(prefix + "CREDENTIALS") && known.isEmpty()) {
                    throw new BadConfigurationException(
                            "job " + id
                                    + ": credential_type secret (expected: \"credentials\": \"secret://name\" in the configuration)");
                }
            }
            case "builtin_secret" -> {
                Map<String, String> fields = mapped(id, secret.orElse(""), row.path("credential_mapping"), prefix);
                known.addAll(fields.values());
                values.putAll(fields);
            }
            default ->
                throw new BadConfigurationException("job " + id + ": credential_type " + type
                        + " (expected: builtin_secret, static or none; or secret://name in the configuration)");
        }
        return values;
    }

    /** Puts what references point to in their place; whole credentials are laid over the other fields. */
    private void resolve(int id, String prefix, Map<String, String> values, Set<String> known) {
        Map<String, String> credentials = new LinkedHashMap<>();
        for (String name : List.copyOf(values.keySet())) {
            String value = values.get(name);
            String field = name.substring(prefix.length());
            if (value.startsWith(SecretStore.SCHEME)) {
                String secret = value.substring(SecretStore.SCHEME.length());
                String what = "job " + id + ": " + value;
                Optional<Map<String, String>> several = secrets.fields("job " + id, secret);
                if (several.isPresent() && several.get().size() == 1 && !CREDENTIALS.contains(field)) {
                    String content = several.get().values().iterator().next();
                    addInner(content, known);
                    values.put(name, content);
                } else if (several.isPresent()) {
                    if (!CREDENTIALS.contains(field)) {
                        throw new BadConfigurationException(what + " has several fields (expected: " + value
                                + "/<field>, or \"credentials\": \"" + value + "\")");
                    }
                    several.get().forEach((each, text) -> {
                        known.add(text);
                        addInner(text, known);
                        credentials.put(named(prefix, each), text);
                    });
                    values.remove(name);
                } else {
                    String content = secrets.text("job " + id, secret);
                    addInner(content, known);
                    if (CREDENTIALS.contains(field)) {
                        layFields(prefix, content, credentials);
                    }
                    values.put(name, content);
                }
            } else if (isFile(field)) {
                Path file = secrets.below("job " + id, field, value);
                values.put(name, file.toString());
                if (CREDENTIALS.contains(field)) {
                    String content = SecretStore.read(file, "job " + id + ": " + field.toLowerCase(Locale.ROOT));
                    addInner(content, known);
                    layFields(prefix, content, credentials);
                }
            }
        }
        // {"credentials": {"token": "x"}} is {"token": "x"}.
        String inner = prefix + "CREDENTIALS_";
        values.forEach((name, value) -> {
            if (name.startsWith(inner) && !isFile(name.substring(prefix.length()))) {
                credentials.putIfAbsent(named(prefix, name.substring(inner.length())), value);
            }
        });
        values.putAll(credentials);
    }

    /** The same for the objects of lists, such as the clusters of a job: what they refer to is put in its place. */
    private JsonNode resolvedLists(int id, JsonNode config, Set<String> known) {
        JsonNode resolved = config.deepCopy();
        for (JsonNode value : resolved) {
            if (!value.isArray()) {
                continue;
            }
            addWithin(value.toString(), known);
            for (JsonNode item : value) {
                item.properties().forEach(entry -> {
                    String text = entry.getValue().asText();
                    String field = entry.getKey().toUpperCase(Locale.ROOT);
                    if (text.startsWith(SecretStore.SCHEME)) {
                        entry.setValue(TextNode.valueOf(
                                secrets.text("job " + id, text.substring(SecretStore.SCHEME.length()))));
                        addInner(entry.getValue().asText(), known);
                    } else if (entry.getValue().isTextual() && isFile(field)) {
                        entry.setValue(TextNode.valueOf(
                                secrets.below("job " + id, field, text).toString()));
                    } else if (Redactor.isSecret(entry.getKey()) && !text.isEmpty()) {
                        addInner(text, known);
                    }
                });
            }
        }
        return resolved;
    }

    /** A certificate is read by whoever configures a job; anything else might be somebody's secret. */
    private static boolean isFile(String field) {
        return (field.endsWith("_FILE") || field.endsWith("_PATH") || field.equals("KUBECONFIG_FILE"))
                && !field.endsWith("CA_FILE");
    }

    /** {@code role_arn} and {@code AWS_ROLE_ARN} are the same field of AWS. */
    private static String named(String prefix, String field) {
        String name = field.toUpperCase(Locale.ROOT).replace('-', '_').replace('.', '_');
        return name.startsWith(prefix) ? name : prefix + name;
    }

    private static JsonNode row(Connection connection, int id) throws SQLException {
        // As JSON, because the columns differ between the shapes of Elder's database.
        try (PreparedStatement select =
                connection.prepareStatement("SELECT to_jsonb(job)::text FROM discovery_jobs job WHERE id = ?")) {
            select.setInt(1, id);
            try (ResultSet rows = select.executeQuery()) {
                if (!rows.next()) {
                    throw new BadConfigurationException("job " + id + ": no such row in discovery_jobs");
                }
                return json("job " + id, rows.getString(1));
            }
        }
    }

    private static String builtinSecret(Connection connection, int id) throws SQLException {
        try (PreparedStatement select = connection.prepareStatement("SELECT pipeline.job_secret(?)::text")) {
            select.setInt(1, id);
            try (ResultSet rows = select.executeQuery()) {
                String secret = rows.next() ? rows.getString(1) : null;
                if (secret == null) {
                    throw new BadConfigurationException("job " + id + ": its credential_id points to no active secret");
                }
                return secret;
            }
        }
    }

    /** Lays the fields of a secret onto those of the configuration: {@code {"secret's field": "our field"}}. */
    private static Map<String, String> mapped(int id, String secret, JsonNode mapping, String prefix) {
        Map<String, String> fields = new LinkedHashMap<>();
        if (secret.startsWith("{")) {
            flatten("", json("job " + id + ": the secret", secret), fields);
        } else {
            fields.put(
                    "VALUE",
                    secret.startsWith("\"")
                            ? json("job " + id + ": the secret", secret).asText()
                            : secret);
        }
        Map<String, String> values = new LinkedHashMap<>();
        if (mapping.isObject() && !mapping.isEmpty()) {
            mapping.properties().forEach(entry -> {
                String value = fields.get(entry.getKey().toUpperCase(Locale.ROOT));
                if (value == null) {
                    throw new BadConfigurationException("job " + id + ": credential_mapping " + entry.getKey()
                            + " (expected: a field of the secret)");
                }
                values.put(named(prefix, entry.getValue().asText()), value);
            });
        } else if (fields.containsKey("VALUE") && fields.size() == 1) {
            throw new BadConfigurationException(
                    "job " + id
                            + ": credential_mapping is empty (expected: {\"value\": \"<field>\"}, because the secret is plain text)");
        } else {
            fields.forEach((name, value) -> values.put(named(prefix, name), value));
        }
        return values;
    }

    /** Nested objects become {@code PREFIX_OUTER_INNER}, and are kept whole as JSON too; lists are joined by commas. */
    static void flatten(String prefix, JsonNode object, Map<String, String> values) {
        object.properties().forEach(entry -> {
            String field = entry.getKey();
            JsonNode value = entry.getValue();
            if (field.startsWith("_") || value.isNull()) {
                return;
            }
            String name = named(prefix, field);
            if (value.isObject()) {
                values.put(name, value.toString());
                flatten(name + "_", value, values);
            } else if (value.isArray()) {
                List<String> items = new ArrayList<>();
                boolean isFlat = true;
                for (JsonNode item : value) {
                    isFlat &= item.isValueNode() && !item.asText().contains(",");
                    items.add(item.asText());
                }
                values.put(name, isFlat ? String.join(",", items) : value.toString());
            } else {
                values.put(name, value.asText());
            }
        });
    }

    private void checkEndpoints(int id, String prefix, Map<String, String> values) {
        values.forEach((name, value) -> {
            String field = name.substring(prefix.length());
            if ((field.equals("ENDPOINT")
                            || field.endsWith("ENDPOINT_URL")
                            || field.endsWith("_ENDPOINT")
                            || field.equals("AUTHORITY_HOST"))
                    && !allowedEndpoints.contains(host(value))) {
                throw new BadConfigurationException("job " + id + ": " + field.toLowerCase(Locale.ROOT) + " "
                        + host(value) + " (expected: a host on ENDPOINT_ALLOWLIST)");
            }
        });
    }

    private static String host(String endpoint) {
        try {
            String host = URI.create(endpoint.contains("://") ? endpoint : "https://" + endpoint)
                    .getHost();
            return host == null ? "without a host" : host.toLowerCase(Locale.ROOT);
        } catch (IllegalArgumentException e) {
            return "that is no URL";
        }
    }

    private static JsonNode json(String what, String text) {
        try {
            return JSON.readTree(text);
        } catch (JsonProcessingException e) {
            // Without the cause: its message quotes the text, which may hold a secret.
            throw new BadConfigurationException(what + ": not JSON");
        }
    }
}
