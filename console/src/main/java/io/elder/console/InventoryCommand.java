package io.elder.console;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "inventory", mixinStandardHelpOptions = true, description = "What Elder's database holds.")
final class InventoryCommand {
    private final Site site;
    private final Terminal terminal;

    InventoryCommand(Site site, Terminal terminal) {
        this.site = site;
        this.terminal = terminal;
    }

    @Command(
            name = "summary",
            mixinStandardHelpOptions = true,
            description = "Live and soft-deleted rows by table and type.")
    int summary(@Option(names = "--json") boolean json) throws SQLException {
        try (HikariDataSource database = site.database()) {
            ObjectNode summary = new InventoryReader(database).summary();
            if (json) {
                terminal.json(summary);
                return 0;
            }
            List<List<String>> rows = new ArrayList<>();
            for (JsonNode table : summary.path("tables")) {
                rows.add(List.of(
                        table.path("table").asText(),
                        "",
                        table.path("live").asText(),
                        table.path("deleted").asText()));
                table.path("types")
                        .properties()
                        .forEach(type -> rows.add(
                                List.of("", type.getKey(), type.getValue().asText(), "")));
            }
            terminal.rows(List.of("table", "type", "live", "deleted"), rows);
        }
        return 0;
    }

    @Command(name = "list", mixinStandardHelpOptions = true, description = "Entities; other tables with --table.")
    int list(
            @Option(names = "--type", description = "the entities' type") String type,
            @Option(names = "--sub-type") String subType,
            @Option(names = "--organization-id") Integer organization,
            @Option(
                            names = "--table",
                            defaultValue = "entities",
                            description =
                                    "entities, organizations, identities or groups; ${DEFAULT-VALUE} if not given")
                    String table,
            @Option(names = "--deleted", description = "soft-deleted rows too") boolean deleted,
            @Option(names = "--limit", defaultValue = "100") int limit,
            @Option(names = "--offset", defaultValue = "0") int offset,
            @Option(names = "--json") boolean json)
            throws SQLException {
        if (limit < 1 || offset < 0) {
            throw new BadInput("--limit, --offset: " + limit + ", " + offset + " (expected: from 1, from 0)");
        }
        Listing listing =
                switch (table) {
                    case "entities" -> InventoryReader.ENTITIES;
                    case "organizations" -> InventoryReader.ORGANIZATIONS;
                    case "identities" -> InventoryReader.IDENTITIES;
                    case "groups", "identity_groups" -> InventoryReader.GROUPS;
                    default ->
                        throw new BadInput(
                                "--table: " + table + " (expected: entities, organizations, identities or groups)");
                };
        Map<String, Object> filters = new LinkedHashMap<>();
        put(listing, filters, "type", "--type", type);
        put(listing, filters, "sub_type", "--sub-type", subType);
        put(listing, filters, "organization_id", "--organization-id", organization);
        try (HikariDataSource database = site.database()) {
            InventoryReader.Page page = new InventoryReader(database).page(listing, filters, deleted, limit, offset);
            if (json) {
                terminal.json(page.items());
                return 0;
            }
            terminal.table(page.items(), columns(listing));
            if (page.items().size() < page.total()) {
                terminal.say(page.items().size() + " of " + page.total() + " shown (--limit, --offset)");
            }
        }
        return 0;
    }

    private static void put(Listing listing, Map<String, Object> filters, String field, String option, Object value) {
        if (value == null) {
            return;
        }
        if (listing.fields().stream().noneMatch(known -> known.name().equals(field))) {
            throw new BadInput(option + ": " + listing.table() + " has no " + field);
        }
        filters.put(field, value);
    }

    private static String[] columns(Listing listing) {
        return switch (listing.table()) {
            case "organizations" -> new String[] {"id", "name", "type", "parent_id", "source_key"};
            case "identities" -> new String[] {"id", "username", "full_name", "email", "is_active", "organization_id"};
            case "identity_groups" -> new String[] {"id", "name", "provider", "is_active", "description"};
            default -> new String[] {"id", "name", "type", "sub_type", "status", "organization_id", "source_key"};
        };
    }
}
