package io.elder.writeback;

import java.io.IOException;

/**
 * A provider that memberships are written to. Every call says how it is to be, so that making it twice changes nothing
 * more. Rate limits, retries, order and records are the {@link Applier}'s.
 */
interface WritebackTarget extends AutoCloseable {
    /**
     * One change.
     *
     * @param operation add, remove or profile
     * @param group what the provider calls the group
     * @param member what the provider calls the user
     * @param value the link, where the operation is profile
     */
    record Change(String operation, String group, String member, String value) {}

    /** Returns once the provider has it so. A failure of the network or a time-out is thrown as it came. */
    void make(Change change) throws CallFailure, IOException, InterruptedException;

    /** Calls a second that write-back may make. */
    double callsPerSecond();

    @Override
    default void close() {}
}
