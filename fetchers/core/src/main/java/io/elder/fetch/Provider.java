package io.elder.fetch;

import io.elder.runtime.Settings;
import java.util.List;
import java.util.Optional;

/**
 * A system that resources are fetched from: a way to connect, the partitions to read, a table of resources and an
 * opinion on errors. Scheduling, rate limits, retries, publishing, sealing, metrics and logs belong to whoever runs it.
 * Found by {@link java.util.ServiceLoader}.
 *
 * @param <C> the client that {@link #connect} opens
 */
public interface Provider<C extends AutoCloseable> {
    /** The name in topics, scopes and metrics, e.g. {@code ldap}; upper-cased it is the prefix of its settings. */
    String name();

    /** What people call it, e.g. {@code Google Workspace}. */
    String title();

    /** Reads what {@link #connect} will read, so that wrong values are noted when a process starts, and not when a run fails. */
    default void readSettings(Settings settings) {}

    /** What of these settings a job may change, where that is not for each of them to say. */
    default JobFields jobFields() {
        return JobFields.USUAL;
    }

    /**
     * Opens a client and proves that the system can be reached and accepts the credentials. The client must not retry by
     * itself: retries of an SDK are switched off.
     *
     * @param settings the environment, overlaid with the job's configuration: {@code {"server": "x"}} of a job is
     *     {@code LDAP_SERVER}
     */
    C connect(Settings settings) throws Exception;

    /**
     * Whether many threads may use a client at once. Then one client serves all tasks of a run in a process, and is closed
     * when the run has left it alone for a while: the place to keep what is dear, such as the credentials of each account.
     * Otherwise every task opens and closes its own.
     */
    default boolean isShareable() {
        return false;
    }

    /**
     * The one partition that a client reads, whatever partition it is told; told without a request. Empty where every
     * request names its account, so that a client of another account can't take its own objects for that one's.
     */
    default Optional<Partition> findOnlyPartition(C client) {
        return Optional.empty();
    }

    /** Where to read: every root resource is read once in each of those that it {@link Resource.Root#only wants}. */
    default List<Partition> partitions(C client, Requests requests) throws Exception {
        return findOnlyPartition(client).stream().toList();
    }

    /** The table: what there is to read. */
    List<Resource<C>> resources();

    /**
     * What to do about a failure. Called for all that {@link #connect} or a row of the table throws, but for a {@link ReadFailure},
     * which says so itself, and what is wrong with the settings.
     */
    Verdict classify(Throwable failure);

    /**
     * Requests a second that one account in one region takes, where {@code <PROVIDER>_RATE_LIMIT} says nothing. Met by all
     * tasks of a process together, and lowered for a while where the system throttles sooner.
     */
    default double requestsPerSecond() {
        return 10;
    }

    /**
     * How many parents' children are read at once, all under the one rate limit, where the client {@link #isShareable}.
     * Worth it where each parent costs a request and there are thousands.
     */
    default int parentsAtOnce() {
        return 1;
    }

    /** Who the credentials are and what answered, in one line, for a person who tests a connection. */
    default String identity(C client) throws Exception {
        return name();
    }
}
