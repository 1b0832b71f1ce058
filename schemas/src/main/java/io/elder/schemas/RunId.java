package io.elder.schemas;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.kafka.common.utils.Utils;

/**
 * One execution of a job: {@code <job key>.<start, base 36 millis><random>}. The job key is the id of a row of
 * {@code discovery_jobs}, or {@code connector:<provider>} for a connector configured by the environment. Everything that
 * concerns one job lies in one partition: see {@link #partition}.
 */
public record RunId(String jobKey, String suffix) {
    private static final String CONNECTOR = "connector:";

    public static RunId next(String jobKey, Instant startedAt) {
        long random = ThreadLocalRandom.current().nextLong(36L * 36 * 36 * 36 * 36);
        String suffix = Long.toString(startedAt.toEpochMilli(), 36)
                + String.format(Locale.ROOT, "%5s", Long.toString(random, 36)).replace(' ', '0');
        return new RunId(jobKey, suffix);
    }

    public static RunId parse(String runId) {
        int dot = runId.lastIndexOf('.');
        if (dot <= 0 || dot == runId.length() - 1) {
            throw new IllegalArgumentException("run id: " + runId + " (expected: <job key>.<suffix>, e.g. 42.m3k9x1)");
        }
        return new RunId(runId.substring(0, dot), runId.substring(dot + 1));
    }

    /** The job key of what need not be a run id of this form: empty where it has none. */
    public static String jobKeyOf(String runId) {
        return runId.substring(0, Math.max(runId.lastIndexOf('.'), 0));
    }

    /** The job key of the connector that the environment configures for this provider. */
    public static String connectorKey(String provider) {
        return CONNECTOR + provider;
    }

    /** The row of {@code discovery_jobs}; empty for a connector. */
    public OptionalInt jobId() {
        return jobKey.startsWith(CONNECTOR) ? OptionalInt.empty() : OptionalInt.of(Integer.parseInt(jobKey));
    }

    /**
     * The partition of everything keyed by a job. It is what Kafka's default partitioner chooses for the job key as a
     * UTF-8 string, so {@code cdc.discovery_jobs}, keyed by row id, and {@code runs}, keyed by run id, are co-partitioned.
     */
    public static int partition(String jobKey, int partitions) {
        return Utils.toPositive(Utils.murmur2(jobKey.getBytes(StandardCharsets.UTF_8))) % partitions;
    }

    @Override
    public String toString() {
        return jobKey + "." + suffix;
    }
}
