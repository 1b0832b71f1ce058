package io.elder.fetch;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.Task;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import javax.sql.DataSource;

/**
 * Settings of jobs: the environment, overlaid with the row's configuration and what its credential reference points to.
 * All of it is read anew for every task, so that a rotated password serves at once and no secret is kept.
 */
final class JobConfig implements Jobs {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String SECRET = "secret://";
    private static final Pattern SECRET_NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]*");

    /** Fields of a job that choose who is asked. With them come the job's own credentials, never the environment's. */
    private static final Set<String> TARGETS = Set.of(
            "SERVER",
            "HOST",
            "URL",
            "DOMAIN",
            "API_URL",
            "PORT",
            "USE_SSL",
            "USE_STARTTLS",
            "VERIFY_CERT",
            "CA_CERT",
            "CA_FILE");

    private final Settings environment;
    private final Optional<DataSource> database;
    private final Path secrets;
    private final List<String> allowedEndpoints;

    /**
     * @param database empty where there are only connectors
     * @param secrets the directory that credential files are mounted in
     * @param allowedEndpoints hosts that a job may name as an endpoint override
     */
    JobConfig(Settings environment, Optional<DataSource> database, Path secrets, List<String> allowedEndpoints) {
        this.environment = environment;
        this.database = database;
        this.secrets = secrets;
        this.allowedEndpoints = allowedEndpoints;
    }

    @Override
    public Configured configuration(Task task) throws SQLException {
        String prefix = prefix(task.getProvider());
        Map<String, String> values = new LinkedHashMap<>(environment.values());
        Set<String> known = new LinkedHashSet<>();
        credentialsFile(prefix).forEach((name, value) -> {
            values.putIfAbsent(name, value);
            known.add(value);
        });
        if (task.getJobId() != null) {
            Map<String, String> job = job(task.getJobId(), prefix, known);
            if (job.keySet().stream().anyMatch(name -> redirects(name, prefix, job))) {
                // Else a job that names its own server would be sent the site's password.
                values.keySet().removeIf(name -> name.startsWith(prefix) && isCredential(name));
            }
            values.putAll(job);
        }
        values.forEach((name, value) -> {
            if (Redactor.isSecret(name)) {
                known.add(value);
            }
        });
        return new Configured(Settings.of(values), Redactor.of(known));
    }

    static String prefix(String provider) {
        return provider.toUpperCase(Locale.ROOT) + "_";
    }

    private boolean redirects(String name, String prefix, Map<String, String> job) {
        return TARGETS.contains(name.substring(prefix.length()))
                && !job.get(name).equals(environment.find(name).orElse(""));
    }

    private static boolean isCredential(String name) {
        return Redactor.isSecret(name) || name.endsWith("_BIND_DN") || name.endsWith("_USERNAME");
    }

    /** {@code LDAP_CREDENTIALS_FILE}: a JSON object of fields like those of a job. */
    private Map<String, String> credentialsFile(String prefix) {
        Optional<String> file = environment.find(prefix + "CREDENTIALS_FILE");
        Map<String, String> values = new LinkedHashMap<>();
        if (file.isPresent()) {
            flatten(
                    prefix,
                    json(prefix + "CREDENTIALS_FILE", read(Path.of(file.get()), prefix + "CREDENTIALS_FILE")),
                    values);
        }
        return values;
    }

    private Map<String, String> job(int id, String prefix, Set<String> known) throws SQLException {
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
        flatten(prefix, config, values);
        checkEndpoints(id, prefix, values);
        values.replaceAll((name, value) -> {
            if (!value.startsWith(SECRET)) {
                return value;
            }
            String resolved = secretFile(id, value.substring(SECRET.length()));
            known.add(resolved);
            return resolved;
        });
        String type = row.path("credential_type").asText("none");
        switch (type) {
            case "none", "static", "", "null" -> {}
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
                values.put(prefix + entry.getValue().asText().toUpperCase(Locale.ROOT), value);
            });
        } else if (fields.containsKey("VALUE") && fields.size() == 1) {
            throw new BadConfigurationException(
                    "job " + id
                            + ": credential_mapping is empty (expected: {\"value\": \"<field>\"}, because the secret is plain text)");
        } else {
            fields.forEach((name, value) -> values.put(prefix + name, value));
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
            String name =
                    prefix + field.toUpperCase(Locale.ROOT).replace('-', '_').replace('.', '_');
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
            if ((field.equals("ENDPOINT") || field.endsWith("ENDPOINT_URL") || field.endsWith("_ENDPOINT"))
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

    private String secretFile(int id, String name) {
        if (!SECRET_NAME.matcher(name).matches()) {
            throw new BadConfigurationException(
                    "job " + id + ": " + SECRET + name + " (expected: the name of a file in " + secrets + ")");
        }
        return read(secrets.resolve(name), "job " + id + ": " + SECRET + name).replaceFirst("\\R$", "");
    }

    private static String read(Path file, String what) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new BadConfigurationException(what + ": " + file + " can't be read", e);
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
