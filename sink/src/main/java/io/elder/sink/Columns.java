package io.elder.sink;

import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.Collection;
import java.util.function.Function;

/** Columns of many rows as arrays, for {@code unnest}: one statement and one round trip for all of them. */
final class Columns {
    private Columns() {}

    /**
     * One array of a column of these rows.
     *
     * @param type PostgreSQL's, of an element
     */
    static <T> void bind(
            PreparedStatement statement, int parameter, String type, Collection<T> rows, Function<T, ?> column)
            throws SQLException {
        Object[] values = rows.stream().map(column).toArray();
        statement.setArray(parameter, statement.getConnection().createArrayOf(type, values));
    }
}
