package io.elder.console;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.zaxxer.hikari.HikariDataSource;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "jobs", mixinStandardHelpOptions = true, description = "Discovery jobs of Elder's database.")
final class JobsCommand {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String[] COLUMNS = {
        "id", "name", "provider", "enabled", "schedule_interval", "status", "last_run_at", "next_run_at", "last_error"
    };

    private final Site site;
    private final Terminal terminal;

    JobsCommand(Site site, Terminal terminal) {
        this.site = site;
        this.terminal = terminal;
    }

    @Command(name = "create", mixinStandardHelpOptions = true, description = "Creates a job; it is due at once.")
    int create(
            @Option(names = "--name", required = true) String name,
            @Option(names = "--provider", required = true) String provider,
            @Option(
                            names = "--config",
                            defaultValue = "{}",
                            description =
                                    "JSON, @file with JSON, or - for standard input; keep secrets off the command line")
                    String config,
            @Option(names = "--organization-id") Integer organization,
            @Option(names = "--schedule-interval", description = "seconds; 0 runs once; 3600 if not given")
                    Integer interval,
            @Option(names = "--description") String description,
            @Option(names = "--disabled") boolean disabled,
            @Option(names = "--json") boolean json)
            throws SQLException, IOException {
        ObjectNode body = JSON.createObjectNode().put("name", name).put("provider", provider);
        body.set("config", parse(config));
        body.put("organization_id", organization)
                .put("schedule_interval", interval)
                .put("description", description);
        body.put("enabled", !disabled);
        JobDraft draft = JobDraft.toCreate(body);
        try (HikariDataSource database = site.database()) {
            ObjectNode job = jobs(database).create(draft);
            print(job, json, "job " + job.path("id").asText() + " created");
        }
        return 0;
    }

    @Command(name = "list", mixinStandardHelpOptions = true, description = "All jobs.")
    int list(
            @Option(names = "--provider") String provider,
            @Option(names = "--enabled", arity = "0..1", fallbackValue = "true") Boolean enabled,
            @Option(names = "--organization-id") Integer organization,
            @Option(names = "--json") boolean json)
            throws SQLException {
        try (HikariDataSource database = site.database()) {
            List<ObjectNode> found = jobs(database)
                    .jobs(
                            Optional.ofNullable(provider),
                            Optional.ofNullable(enabled),
                            Optional.ofNullable(organization));
            if (json) {
                terminal.json(found);
            } else {
                terminal.table(found, COLUMNS);
            }
        }
        return 0;
    }

    @Command(name = "show", mixinStandardHelpOptions = true, description = "One job; secrets are hidden.")
    int show(@Parameters(paramLabel = "ID") int id, @Option(names = "--json") boolean json) throws SQLException {
        try (HikariDataSource database = site.database()) {
            ObjectNode job = jobs(database).find(id).orElseThrow(() -> notFound(id));
            if (json) {
                terminal.json(job);
            } else {
                job.remove("config_json");
                job.properties()
                        .forEach(field -> terminal.line(String.format(
                                "%-20s %s",
                                field.getKey(),
                                field.getValue().isTextual()
                                        ? field.getValue().asText()
                                        : field.getValue().toString())));
            }
        }
        return 0;
    }

    @Command(name = "queue", mixinStandardHelpOptions = true, description = "Makes a job due now.")
    int queue(@Parameters(paramLabel = "ID") int id) throws SQLException {
        try (HikariDataSource database = site.database()) {
            var at = jobs(database).queue(id).orElseThrow(() -> notFound(id));
            terminal.line("job " + id + " queued at " + at);
        }
        return 0;
    }

    @Command(
            name = "history",
            mixinStandardHelpOptions = true,
            description = "The runs of a job, or of all; newest first.")
    int history(
            @Parameters(paramLabel = "ID", arity = "0..1") Integer id,
            @Option(names = "--limit", defaultValue = "20") int limit,
            @Option(names = "--json") boolean json)
            throws SQLException {
        if (limit < 1 || limit > 1000) {
            throw new BadInput("--limit: " + limit + " (expected: 1 to 1000)");
        }
        try (HikariDataSource database = site.database()) {
            if (id != null && jobs(database).find(id).isEmpty()) {
                throw notFound(id);
            }
            List<ObjectNode> runs = jobs(database).history(Optional.ofNullable(id), limit);
            if (json) {
                terminal.json(runs);
            } else {
                terminal.table(
                        runs,
                        "id",
                        "job_id",
                        "status",
                        "started_at",
                        "completed_at",
                        "entities_discovered",
                        "entities_created",
                        "entities_updated",
                        "entities_deleted",
                        "error_message");
            }
        }
        return 0;
    }

    @Command(
            name = "test",
            mixinStandardHelpOptions = true,
            description = "Tries a job's connection without running it.")
    int test(@Parameters(paramLabel = "ID") int id, @Option(names = "--json") boolean json) throws SQLException {
        try (HikariDataSource database = site.database()) {
            ObjectNode job = jobs(database).findWithSecrets(id).orElseThrow(() -> notFound(id));
            ObjectNode result =
                    ConnectionTest.run(ServiceLoader.load(JobTester.class).findFirst(), id, job, Clock.systemUTC());
            boolean success = result.path("success").asBoolean();
            print(
                    result,
                    json,
                    success
                            ? "job " + id + ": connected as "
                                    + result.path("identity").asText()
                            : "job " + id + ": " + result.path("error").asText());
            return success ? 0 : 1;
        }
    }

    @Command(
            name = "delete",
            mixinStandardHelpOptions = true,
            description = "Deletes a job and its history. The inventory stays.")
    int delete(@Parameters(paramLabel = "ID") int id) throws SQLException {
        try (HikariDataSource database = site.database()) {
            if (!jobs(database).delete(id)) {
                throw notFound(id);
            }
            terminal.line("job " + id + " deleted");
        }
        return 0;
    }

    private void print(ObjectNode node, boolean json, String words) {
        if (json) {
            terminal.json(node);
        } else {
            terminal.line(words);
        }
    }

    private static JobStore jobs(HikariDataSource database) {
        return new JobStore(database, Clock.systemUTC());
    }

    private static CommandFailed notFound(int id) {
        return new CommandFailed("job " + id + ": not found");
    }

    private static com.fasterxml.jackson.databind.JsonNode parse(String config) throws IOException {
        String text = config.equals("-")
                ? new String(System.in.readAllBytes(), StandardCharsets.UTF_8)
                : config.startsWith("@") ? Files.readString(Path.of(config.substring(1))) : config;
        try {
            return JSON.readTree(text);
        } catch (JsonProcessingException e) {
            // Not the parser's message: it quotes the text, which may hold a secret.
            throw new BadInput(
                    "--config: malformed JSON (expected: an object, e.g. {\"server\": \"ldap.example.com\"})");
        }
    }
}
