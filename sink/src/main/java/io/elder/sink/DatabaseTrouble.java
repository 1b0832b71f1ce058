package io.elder.sink;

import java.sql.BatchUpdateException;
import java.sql.SQLException;
import java.util.Set;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

/** Tells apart what is wrong with a row from what is wrong with the database: only the former will never get better. */
final class DatabaseTrouble {
    /** feature not supported, data exception, integrity violation, with-check violation, limit exceeded, raised by a trigger */
    private static final Set<String> OF_THE_ROW = Set.of("0A", "22", "23", "44", "54", "P0");

    /** foreign key violation, unique violation */
    private static final Set<String> RACES = Set.of("23503", "23505");

    private DatabaseTrouble() {}

    /** Whether PostgreSQL refused what it was given; anything else (away, read-only, locked, full, forbidden) is waited out. */
    static boolean isTheRow(SQLException failure) {
        String state = failure.getSQLState();
        return state != null && state.length() >= 2 && OF_THE_ROW.contains(state.substring(0, 2));
    }

    /** Whether it may be that somebody else wrote, or deleted, what the row was looked up against: worth another look. */
    static boolean mayBeARace(SQLException refusal) {
        return RACES.contains(String.valueOf(refusal.getSQLState()));
    }

    /** One line for an operator. Without the row's content, which may be anything; keys and names of columns are in it. */
    static String describe(SQLException failure) {
        SQLException cause = failure instanceof BatchUpdateException && failure.getNextException() != null
                ? failure.getNextException()
                : failure;
        String state = cause.getSQLState() == null ? "" : cause.getSQLState() + ": ";
        ServerErrorMessage server = cause instanceof PSQLException refused ? refused.getServerErrorMessage() : null;
        String message = server == null ? cause.getMessage() : server.getMessage();
        return state
                + (message == null
                        ? cause.getClass().getSimpleName()
                        : message.lines().findFirst().orElse(""));
    }
}
