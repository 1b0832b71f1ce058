package io.elder.cdc;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Optional;

/**
 * The replication slot as PostgreSQL sees it.
 *
 * @param active whether somebody reads it
 * @param walStatus {@code reserved}, {@code extended}, {@code unreserved} or {@code lost}
 * @param behindBytes WAL that is kept for it
 */
record SlotState(boolean active, String walStatus, long behindBytes) {
    static Optional<SlotState> find(Connection connection, String slot) throws SQLException {
        try (var statement = connection.prepareStatement("""
                SELECT active, coalesce(wal_status, 'reserved'),
                       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::bigint
                FROM pg_replication_slots WHERE slot_name = ? AND database = current_database()""")) {
            statement.setString(1, slot);
            try (ResultSet row = statement.executeQuery()) {
                return row.next()
                        ? Optional.of(new SlotState(row.getBoolean(1), row.getString(2), row.getLong(3)))
                        : Optional.empty();
            }
        }
    }

    boolean isLost() {
        return walStatus.equals("lost");
    }
}
