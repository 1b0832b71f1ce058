package io.elder.sink;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.schemas.ElderTable;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** How one table is filled in the shape that this database has: its columns as the catalogue has them, and the statements. */
final class TableLayout {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Set<String> SERVICE_IDENTITIES = Set.of("service_account", "bot", "integration");

    /**
     * A column as the catalogue has it.
     *
     * @param defaultValue the expression; null if there is none, as for identity columns
     */
    private record Actual(
            String name,
            String type,
            int maxLength,
            boolean notNull,
            boolean hasDefault,
            String defaultValue,
            List<String> labels) {
        String cast() {
            return type.equals("varchar") || type.equals("bpchar") ? "text" : type;
        }
    }

    @FunctionalInterface
    private interface Text {
        String of(Change change) throws RefusedValue;
    }

    /** @param update what the column becomes where the row exists; null for what only a new row gets */
    private record Field(Actual column, Text text, String update) {}

    /**
     * A reference that this shape has a column for.
     *
     * @param suffix what is appended to the target's key, for shape B's second pair of dependency columns
     * @param noun the noun of the table referred to, or {@code any}
     */
    record Link(String reference, String column, String noun, boolean required, String suffix) {
        String id() {
            return reference + suffix;
        }
    }

    private final ElderTable table;
    private final List<Field> fields = new ArrayList<>();
    private final List<Link> links = new ArrayList<>();
    private final Map<String, Actual> actuals;
    private final List<ElderTable.Column> unplaced = new ArrayList<>();

    /** Columns that are too small for some of what records hold. */
    private final List<ElderTable.Column> narrow = new ArrayList<>();

    /** Words of records that may have no label of their own here, and the labels. */
    private final Map<String, List<String>> labels = new LinkedHashMap<>();

    private final boolean nameIsUnique;
    private final String upsert;
    private final String refresh;

    TableLayout(Connection connection, ElderShape shape, ElderTable table) throws SQLException {
        this.table = table;
        this.actuals = actuals(connection, table.sqlName());
        for (String needed : List.of("id", "source_key")) {
            if (!actuals.containsKey(needed)) {
                throw new IllegalStateException(table.sqlName() + " has no column " + needed
                        + " (expected: a migrated database; run ./elder migrate)");
            }
        }
        for (ElderTable.Column column : table.columns().values()) {
            boolean placed = false;
            for (String name : shape.columns(table, column.name())) {
                Actual actual = actuals.get(name);
                if (actual != null && isFree(name)) {
                    add(name, text(column, actual));
                    if (column.type() == ElderTable.Type.INTEGER
                            && actual.type().equals("int4")) {
                        narrow.add(column);
                    }
                    placed = true;
                }
            }
            if (!placed) {
                unplaced.add(column);
            }
        }
        for (ElderTable.Reference reference : table.references().values()) {
            String name = shape.referenceColumn(table, reference.name());
            if (actuals.containsKey(name)) {
                link(new Link(
                        reference.name(),
                        name,
                        reference.noun(),
                        actuals.get(name).notNull(),
                        ""));
            }
            String entity = reference.name() + "_entity_id";
            if (table == ElderTable.DEPENDENCIES && actuals.containsKey(entity)) {
                link(new Link(
                        reference.name(), entity, "entity", actuals.get(entity).notNull(), "#entity"));
            }
        }
        for (String word : List.of("type", "dependency_type")) {
            Actual kind = actuals.get(word.equals("type") ? "entity_type" : word);
            if (kind != null && !kind.labels().isEmpty()) {
                labels.put(word, kind.labels());
            }
        }
        addIfThere("tenant_id", change -> change.tenantId == null ? null : change.tenantId.toString());
        addIfThere("is_active", change -> Boolean.toString(!change.deleted()));
        payload().ifPresent(column -> add(column, this::payload));
        addIfThere("tags", change -> tags(change).toString());
        addIfThere("ldap_dn", change -> attribute(change, "ldap_dn"));
        addIfThere(
                "is_service_account",
                change -> Boolean.toString(SERVICE_IDENTITIES.contains(
                        change.value("identity_type").orElse(""))));
        if (table == ElderTable.IDENTITY_GROUP_MEMBERSHIPS && actuals.containsKey("expires_at")) {
            // Elder honours a membership until it expires. An expiry that a person set is left alone while the row
            // lives.
            addWith(
                    "expires_at",
                    change -> change.deleted() ? change.observedAt() : null,
                    "CASE WHEN excluded.deleted_at IS NOT NULL THEN excluded.expires_at"
                            + " WHEN t.deleted_at IS NOT NULL THEN NULL ELSE t.expires_at END");
        }
        if (actuals.containsKey("unique_id")) {
            addWith("unique_id", change -> Long.toString(hash(change.key()) >>> 1), null);
        }
        ElderShape.NEW_ROW.forEach((column, value) -> {
            String name = column.substring(column.indexOf('.') + 1);
            if (column.startsWith(table.sqlName() + ".") && actuals.containsKey(name) && isFree(name)) {
                addWith(name, change -> value, null);
            }
        });
        // Not updated: an update of a key, even to what it is, locks the row against everybody who refers to it.
        addWith("source_key", Change::key, null);
        add("content_hash", change -> Long.toString(change.row.getContentHash()));
        add("run_id", change -> change.record.getRunId());
        add("observed_at", change -> change.observedAt());
        add("deleted_at", change -> change.deleted() ? change.observedAt() : null);
        addIfThere("last_seen_at", change -> change.observedAt());
        String unfilled = actuals.values().stream()
                .filter(column -> column.notNull() && !column.hasDefault() && isFree(column.name()))
                .map(Actual::name)
                .filter(name -> !name.equals("id") && !name.equals("created_at") && !name.equals("updated_at"))
                .collect(Collectors.joining(", "));
        if (!unfilled.isEmpty()) {
            throw new IllegalStateException(table.sqlName() + ": " + unfilled
                    + " may not be null and nothing fills it (expected: shape A, B or C)");
        }
        this.nameIsUnique =
                nameColumn().isPresent() && isUnique(connection, nameColumn().get());
        this.upsert = upsertStatement();
        this.refresh =
                "UPDATE " + table.sqlName() + " t SET observed_at = i.observed_at::timestamptz, run_id = i.run_id,"
                        // It may have come back and gone again within a batch.
                        + " deleted_at = CASE WHEN t.deleted_at IS NOT NULL THEN i.observed_at::timestamptz END"
                        + (actuals.containsKey("last_seen_at") ? ", last_seen_at = i.observed_at::timestamptz" : "")
                        + " FROM unnest(?::text[], ?::text[], ?::text[]) AS i(source_key, observed_at, run_id)"
                        + " WHERE t.source_key = i.source_key AND t.observed_at < i.observed_at::timestamptz";
    }

    ElderTable table() {
        return table;
    }

    List<Link> links() {
        return links;
    }

    boolean hasRequiredLinks() {
        return links.stream().anyMatch(Link::required);
    }

    boolean has(String column) {
        return actuals.containsKey(column);
    }

    /** What a text has to be cast to for a column that is there. */
    String type(String column) {
        return actuals.get(column).cast();
    }

    boolean needsTenant() {
        return actuals.containsKey("tenant_id") && actuals.get("tenant_id").notNull();
    }

    /** The column whose values are unique over all of Elder, where the database enforces that. */
    Optional<String> uniqueName() {
        return nameIsUnique ? nameColumn() : Optional.empty();
    }

    /** The name that a record asks for, as far as the column holds it; if plain, without what tells providers apart. */
    String wantedName(Change change, boolean plain) {
        String name = change.value(nameColumn().orElseThrow()).orElse("");
        return cut(plain ? UniqueNames.plain(name, change.key()) : name, nameLength());
    }

    int nameLength() {
        return nameColumn().map(name -> actuals.get(name).maxLength()).orElse(0);
    }

    /** Works out what the row's columns will hold. */
    void prepare(Change change) throws RefusedValue {
        String[] texts = new String[fields.size()];
        for (int i = 0; i < texts.length; i++) {
            texts[i] = fields.get(i).text().of(change);
        }
        change.texts = texts;
    }

    /** Bound rows of {@link #upsertStatement}; the result set has key, id, and whether the row is new. */
    PreparedStatement upsert(Connection connection, List<Change> changes) throws SQLException {
        PreparedStatement statement = connection.prepareStatement(upsert);
        for (int i = 0; i < fields.size(); i++) {
            String[] column = new String[changes.size()];
            for (int row = 0; row < column.length; row++) {
                column[row] = changes.get(row).texts[i];
            }
            statement.setArray(i + 1, texts(connection, column));
        }
        return statement;
    }

    /** Rows that were seen again as they are. */
    PreparedStatement refresh(Connection connection, List<Change> changes) throws SQLException {
        PreparedStatement statement = connection.prepareStatement(refresh);
        statement.setArray(
                1, texts(connection, changes.stream().map(Change::key).toArray(String[]::new)));
        statement.setArray(
                2,
                texts(
                        connection,
                        changes.stream().map(change -> change.observedAt()).toArray(String[]::new)));
        statement.setArray(
                3,
                texts(
                        connection,
                        changes.stream().map(change -> change.record.getRunId()).toArray(String[]::new)));
        return statement;
    }

    static Array texts(Connection connection, String[] values) throws SQLException {
        return connection.createArrayOf("text", values);
    }

    /** 64 bits of a key that don't change. */
    static long hash(String key) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8));
            long hash = 0;
            for (int i = 0; i < 8; i++) {
                hash = (hash << 8) | (digest[i] & 0xff);
            }
            return hash;
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("SHA-256 is part of every Java platform", e);
        }
    }

    /** The text as far as the column holds it, with an ellipsis for the rest; never half a character. */
    static String cut(String text, int maxLength) {
        if (maxLength <= 0 || text.length() <= maxLength || text.codePointCount(0, text.length()) <= maxLength) {
            return text;
        }
        return text.substring(0, text.offsetByCodePoints(0, maxLength - 1)) + "…";
    }

    private String upsertStatement() {
        List<String> columns = new ArrayList<>();
        List<String> values = new ArrayList<>();
        List<String> updates = new ArrayList<>();
        List<String> aliases = new ArrayList<>();
        List<String> typed = new ArrayList<>();
        String uniqueName = uniqueName().orElse("");
        for (int i = 0; i < fields.size(); i++) {
            Field field = fields.get(i);
            String name = '"' + field.column().name() + '"';
            columns.add(name);
            values.add("i." + name);
            aliases.add("c" + i);
            typed.add("c" + i + "::" + field.column().cast() + " AS " + name);
            if (field.update() != null && !field.column().name().equals(uniqueName)) {
                updates.add(name + " = " + field.update());
            }
        }
        for (String clock : List.of("created_at", "updated_at")) {
            if (actuals.containsKey(clock)) {
                columns.add(clock);
                values.add("now()");
            }
        }
        if (actuals.containsKey("updated_at")) {
            updates.add("updated_at = now()");
        }
        String nextId = actuals.get("id").defaultValue();
        if (nextId != null) {
            // A row that is there has its id: ON CONFLICT comes after the sequence was asked, and changes would use
            // up its integers.
            columns.add("id");
            values.add("coalesce(x.id, " + nextId + ")");
        }
        return "INSERT INTO " + table.sqlName() + " AS t (" + String.join(", ", columns) + ") SELECT "
                + String.join(", ", values)
                + " FROM (SELECT " + String.join(", ", typed)
                + " FROM unnest(" + fields.stream().map(f -> "?::text[]").collect(Collectors.joining(", ")) + ") AS u("
                + String.join(", ", aliases) + ")) AS i"
                // Looked up one by one, whatever the statistics say of a table that was empty.
                + " LEFT JOIN LATERAL (SELECT x.id, x.observed_at, x.content_hash, x.deleted_at FROM " + table.sqlName()
                + " x WHERE x.source_key = i.source_key OFFSET 0) AS x ON true"
                // Rows that stay as they are never come to the conflict: there they would be locked, which is a write.
                + " WHERE (x.observed_at > i.observed_at OR (x.content_hash = i.content_hash"
                + " AND (x.deleted_at IS NULL) = (i.deleted_at IS NULL))) IS NOT TRUE"
                + " ON CONFLICT (source_key) WHERE source_key IS NOT NULL DO UPDATE SET "
                + String.join(", ", updates)
                + " WHERE (t.observed_at IS NULL OR t.observed_at <= excluded.observed_at)"
                + " AND (t.content_hash IS DISTINCT FROM excluded.content_hash"
                + " OR (t.deleted_at IS NULL) <> (excluded.deleted_at IS NULL))"
                + " RETURNING t.source_key, t.id, t.xmax = 0";
    }

    private void link(Link link) {
        links.add(link);
        add(link.column(), change -> {
            Integer id = change.ids.get(link.id());
            return id == null ? null : id.toString();
        });
    }

    private boolean isFree(String name) {
        return fields.stream().noneMatch(field -> field.column().name().equals(name));
    }

    private void addIfThere(String name, Text text) {
        if (actuals.containsKey(name) && isFree(name)) {
            add(name, text);
        }
    }

    private void add(String name, Text text) {
        addWith(name, text, "excluded.\"" + name + '"');
    }

    private void addWith(String name, Text text, String update) {
        Actual actual = actuals.get(name);
        if (actual == null) {
            throw new IllegalStateException(table.sqlName() + " has no column " + name
                    + " (expected: a migrated database; run ./elder migrate)");
        }
        fields.add(new Field(actual, text, update));
    }

    /** The column that people know an identity or a group by. */
    Optional<String> nameColumn() {
        return switch (table) {
            case IDENTITIES -> Optional.of("username");
            case IDENTITY_GROUPS -> Optional.of("name");
            default -> Optional.empty();
        };
    }

    /** What a column of a record becomes. All that is the same for all rows is worked out here, once. */
    private Text text(ElderTable.Column column, Actual actual) {
        String name = column.name();
        boolean isActive = name.equals("is_active");
        String deletedStatus = name.equals("status") ? ElderShape.DELETED_STATUS.get(table.sqlName()) : null;
        String whenDeleted = isActive ? "false" : deletedStatus;
        boolean isName = nameColumn().filter(name::equals).isPresent();
        String newRow = ElderShape.NEW_ROW.get(table.sqlName() + "." + actual.name());
        String missing = isActive ? "true" : actual.notNull() ? newRow : null;
        boolean isNarrow =
                column.type() == ElderTable.Type.INTEGER && actual.type().equals("int4");
        boolean isText = column.type() == ElderTable.Type.TEXT;
        return change -> {
            if (change.deleted() && whenDeleted != null) {
                return whenDeleted;
            }
            if (isName && change.name != null) {
                return change.name;
            }
            Object value = change.row.getValues().get(name);
            if (value == null) {
                return missing;
            }
            String text = value.toString();
            if (!actual.labels().isEmpty()) {
                return ElderShape.label(actual.type(), actual.labels(), text)
                        .orElseThrow(() -> new RefusedValue(table.sqlName() + "." + actual.name() + ": " + text
                                + " (expected: one of " + String.join(", ", actual.labels()) + ")"));
            }
            if (isNarrow && overflows(text)) {
                return null;
            }
            return isText ? cut(text, actual.maxLength()) : text;
        };
    }

    /** Shape A keeps sizes in 32 bits: what does not fit goes to the payload. */
    private static boolean overflows(String text) {
        try {
            long value = Long.parseLong(text);
            return value != (int) value;
        } catch (NumberFormatException e) {
            // PostgreSQL says best what is wrong with it.
            return false;
        }
    }

    private Optional<String> payload() {
        return List.of("attributes", "metadata", "custom_metadata").stream()
                .filter(actuals::containsKey)
                .findFirst();
    }

    /** The record's attributes, and every value that has no column of its own here. */
    private String payload(Change change) throws RefusedValue {
        Map<String, Object> more = new LinkedHashMap<>();
        for (ElderTable.Column column : unplaced) {
            Object value = change.row.getValues().get(column.name());
            if (value != null) {
                more.put(column.name(), value);
            }
        }
        for (ElderTable.Column column : narrow) {
            Object value = change.row.getValues().get(column.name());
            if (value != null && overflows(value.toString())) {
                more.put(column.name(), value);
            }
        }
        for (Map.Entry<String, List<String>> kind : labels.entrySet()) {
            String text = change.value(kind.getKey()).orElse(null);
            if (text != null && kind.getValue().stream().noneMatch(text::equalsIgnoreCase)) {
                more.put(kind.getKey(), text);
            }
        }
        if (!actuals.containsKey("tags") && !change.row.getTags().isEmpty()) {
            more.put("tags", change.row.getTags());
        }
        if (more.isEmpty()) {
            return change.row.getAttributes();
        }
        ObjectNode merged = JSON.valueToTree(more);
        merged.setAll(attributes(change));
        return merged.toString();
    }

    private static String attribute(Change change, String name) throws RefusedValue {
        JsonNode value = attributes(change).get(name);
        return value == null || value.isNull() ? null : cut(value.asText(), 512);
    }

    private static ObjectNode attributes(Change change) throws RefusedValue {
        String attributes = change.row.getAttributes();
        if (attributes == null) {
            return JSON.createObjectNode();
        }
        try {
            if (JSON.readTree(attributes) instanceof ObjectNode object) {
                return object;
            }
        } catch (JsonProcessingException e) {
            throw new RefusedValue("attributes of " + change.key() + " can't be read (expected: a JSON object)");
        }
        throw new RefusedValue("attributes of " + change.key() + " are no object (expected: a JSON object)");
    }

    private static JsonNode tags(Change change) {
        return JSON.valueToTree(change.row.getTags());
    }

    private static Map<String, Actual> actuals(Connection connection, String table) throws SQLException {
        Map<String, Actual> actuals = new LinkedHashMap<>();
        String sql = """
                SELECT a.attname, t.typname, CASE WHEN t.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4
                           THEN a.atttypmod - 4 ELSE 0 END,
                       a.attnotnull, a.atthasdef OR a.attidentity <> '', pg_get_expr(d.adbin, d.adrelid),
                       ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
                FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = ''
                WHERE a.attrelid = to_regclass(?) AND a.attnum > 0 AND NOT a.attisdropped
                ORDER BY a.attnum
                """;
        try (PreparedStatement query = connection.prepareStatement(sql)) {
            query.setString(1, table);
            try (ResultSet column = query.executeQuery()) {
                while (column.next()) {
                    actuals.put(
                            column.getString(1),
                            new Actual(
                                    column.getString(1),
                                    column.getString(2),
                                    column.getInt(3),
                                    column.getBoolean(4),
                                    column.getBoolean(5),
                                    column.getString(6),
                                    List.of((String[]) column.getArray(7).getArray())));
                }
            }
        }
        return actuals;
    }

    private boolean isUnique(Connection connection, String column) throws SQLException {
        String sql = """
                SELECT i.indkey[0] FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                WHERE i.indrelid = to_regclass(?) AND i.indisunique AND i.indnatts = 1 AND a.attname = ?
                """;

        try (PreparedStatement query = connection.prepareStatement(sql)) {
            query.setString(1, table.sqlName());
            query.setString(2, column);
            try (ResultSet index = query.executeQuery()) {
                return index.next();
            }
        }
    }
}
