package io.elder.console;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * How rows of a table are shown as JSON, whatever the shape of the database.
 *
 * @param fields in the order in which they are shown
 */
record Listing(String table, List<Field> fields) {
    private static final ObjectMapper JSON = new ObjectMapper();

    enum Kind {
        TEXT,
        /** A label of an enum type, shown as Elder's API spells it. */
        LABEL,
        NUMBER,
        BOOLEAN,
        TIME,
        JSON
    }

    /**
     * @param name the field's name in JSON
     * @param spellings the column's names in the shapes; shown as null where a shape has none of them
     */
    record Field(String name, Kind kind, List<String> spellings) {}

    static Field field(String name, Kind kind, String... spellings) {
        return new Field(name, kind, spellings.length == 0 ? List.of(name) : List.of(spellings));
    }

    /** A condition on a column, as SQL with one {@code ?} per value. */
    record Condition(String sql, List<Object> values) {
        static Condition of(String sql, Object... values) {
            return new Condition(sql, List.of(values));
        }
    }

    Field field(String name) {
        return fields.stream()
                .filter(field -> field.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(table + " shows no " + name));
    }

    /** The column's name in this database. */
    Optional<String> column(Columns columns, String name) {
        return columns.find(field(name).spellings());
    }

    /** The condition that a field has a value; nothing matches where the database lacks the column. */
    Condition equal(Columns columns, String name, Object value) {
        Field field = field(name);
        String right = field.kind() == Kind.LABEL ? "lower(?)" : "?";
        return column(columns, name)
                .map(column -> {
                    String left =
                            switch (field.kind()) {
                                case TEXT -> column + "::text";
                                case LABEL -> "lower(" + column + "::text)";
                                default -> column;
                            };
                    return Condition.of(left + " = " + right, value);
                })
                .orElse(Condition.of("false"));
    }

    long count(Connection connection, List<Condition> conditions) throws SQLException {
        try (PreparedStatement statement =
                connection.prepareStatement("SELECT count(*) FROM " + table + where(conditions))) {
            bind(statement, conditions);
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                return rows.getLong(1);
            }
        }
    }

    /** @param tail what follows the conditions: order, limit, lock */
    List<ObjectNode> rows(Connection connection, Columns columns, List<Condition> conditions, String tail)
            throws SQLException {
        String selected =
                fields.stream().map(field -> expression(columns, field)).collect(Collectors.joining(", "));
        String sql = "SELECT " + selected + " FROM " + table + where(conditions) + " " + tail;
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            bind(statement, conditions);
            List<ObjectNode> shown = new ArrayList<>();
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    ObjectNode row = JsonNodeFactory.instance.objectNode();
                    for (int i = 0; i < fields.size(); i++) {
                        row.set(
                                fields.get(i).name(),
                                value(rows, i + 1, fields.get(i).kind()));
                    }
                    shown.add(row);
                }
            }
            return shown;
        }
    }

    private static String expression(Columns columns, Field field) {
        Optional<String> column = columns.find(field.spellings());
        return switch (field.kind()) {
            case TEXT, LABEL, JSON -> column.orElse("NULL") + "::text";
            case NUMBER -> column.orElse("NULL") + "::text";
            case BOOLEAN -> column.orElse("NULL::boolean");
            case TIME -> column.orElse("NULL::timestamptz");
        };
    }

    private static JsonNode value(ResultSet rows, int index, Kind kind) throws SQLException {
        JsonNodeFactory nodes = JsonNodeFactory.instance;
        if (kind == Kind.TIME) {
            OffsetDateTime time = rows.getObject(index, OffsetDateTime.class);
            return time == null
                    ? nodes.nullNode()
                    : nodes.textNode(time.toInstant().toString());
        }
        if (kind == Kind.BOOLEAN) {
            boolean value = rows.getBoolean(index);
            return rows.wasNull() ? nodes.nullNode() : nodes.booleanNode(value);
        }
        String text = rows.getString(index);
        if (text == null) {
            return nodes.nullNode();
        }
        return switch (kind) {
            case NUMBER -> text.matches("-?\\d{1,18}") ? nodes.numberNode(Long.parseLong(text)) : nodes.textNode(text);
            case LABEL -> nodes.textNode(label(text));
            case JSON -> json(text);
            default -> nodes.textNode(text);
        };
    }

    private static JsonNode json(String text) {
        try {
            return JSON.readTree(text);
        } catch (JsonProcessingException e) {
            // PostgreSQL checks what it stores as json; only a text column of an old shape can get here.
            return JsonNodeFactory.instance.textNode(text);
        }
    }

    /** The two labels whose member name is not their value in capitals; see elder's IdentityType. */
    private static String label(String stored) {
        return switch (stored) {
            case "SERVICE_ACCOUNT_PYDAL" -> "serviceAccount";
            case "OTHER_HUMAN" -> "otherHuman";
            default -> stored.toLowerCase(Locale.ROOT);
        };
    }

    private static String where(List<Condition> conditions) {
        return conditions.isEmpty()
                ? ""
                : conditions.stream().map(Condition::sql).collect(Collectors.joining(" AND ", " WHERE ", ""));
    }

    private static void bind(PreparedStatement statement, List<Condition> conditions) throws SQLException {
        int index = 1;
        for (Condition condition : conditions) {
            for (Object value : condition.values()) {
                statement.setObject(index++, value);
            }
        }
    }
}
