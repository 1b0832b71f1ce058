package io.elder.console;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/**
 * The columns that one of Elder's tables really has. Three shapes of the database are met in the field, and ours adds
 * columns to each of them; a reader names every spelling and takes what is there.
 */
record Columns(String table, Set<String> names) {

    static Columns read(Connection connection, String table) throws SQLException {
        String sql =
                "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setString(1, table);
            Set<String> names = new HashSet<>();
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    names.add(rows.getString(1));
                }
            }
            return new Columns(table, Set.copyOf(names));
        }
    }

    boolean exists() {
        return !names.isEmpty();
    }

    Optional<String> find(Iterable<String> spellings) {
        for (String spelling : spellings) {
            if (names.contains(spelling)) {
                return Optional.of(spelling);
            }
        }
        return Optional.empty();
    }

    Optional<String> find(String spelling) {
        return names.contains(spelling) ? Optional.of(spelling) : Optional.empty();
    }
}
