package io.elder.sink;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.util.Optional;

/** Steps that PostgreSQL may refuse because of a row, without the end of the transaction. */
final class Savepoints {
    @FunctionalInterface
    interface Step {
        void run() throws SQLException;
    }

    private Savepoints() {}

    /**
     * Runs a step; nothing of it is left if it is refused.
     *
     * @return why it was refused; empty if it was not
     * @throws SQLException what is wrong with the database and not with a row
     */
    static Optional<SQLException> refusal(Connection connection, Step step) throws SQLException {
        Savepoint before = connection.setSavepoint();
        try {
            step.run();
            connection.releaseSavepoint(before);
            return Optional.empty();
        } catch (SQLException e) {
            if (!DatabaseTrouble.isTheRow(e)) {
                throw e;
            }
            connection.rollback(before);
            connection.releaseSavepoint(before);
            return Optional.of(e);
        }
    }

    /** The same, if careful; else what is refused is thrown, and the whole batch is tried carefully. */
    static Optional<SQLException> refusal(Connection connection, boolean careful, Step step) throws SQLException {
        if (careful) {
            return refusal(connection, step);
        }
        step.run();
        return Optional.empty();
    }
}
