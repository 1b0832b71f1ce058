package io.elder.scheduler;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the scheduler needs of a row of {@code discovery_jobs}, in whichever shape the database has it, or of a connector
 * that the environment enables.
 *
 * @param intervalSeconds 0 runs once
 * @param nextRunAt null if unset
 * @param lastRunAt null if it never ran
 */
record JobRow(
        String provider, long intervalSeconds, boolean enabled, String status, Instant lastRunAt, Instant nextRunAt) {
    private static final Pattern INTERVAL = Pattern.compile("(\\d{1,9})\\s*([smhd]?)");

    static JobRow connector(String provider, Duration interval) {
        return new JobRow(provider, interval.toSeconds(), true, "", null, null);
    }

    /** @throws IllegalArgumentException for a value that can't be understood */
    static JobRow of(JsonNode row) {
        return new JobRow(
                text(row, "provider", "type"),
                interval(field(row, "schedule_interval", "schedule")),
                field(row, "enabled", "is_active").asBoolean(true),
                field(row, "status").asText("").toLowerCase(Locale.ROOT),
                instant("last_run_at", row.path("last_run_at")),
                instant("next_run_at", row.path("next_run_at")));
    }

    boolean isPending() {
        return "pending".equals(status);
    }

    Duration interval() {
        return Duration.ofSeconds(intervalSeconds);
    }

    private static String text(JsonNode row, String... names) {
        String text = field(row, names).asText("");
        if (text.isBlank()) {
            throw new IllegalArgumentException(String.join("/", names) + ": not set (expected: a provider)");
        }
        return text.toLowerCase(Locale.ROOT);
    }

    private static JsonNode field(JsonNode row, String... names) {
        for (String name : names) {
            if (row.hasNonNull(name)) {
                return row.get(name);
            }
        }
        return com.fasterxml.jackson.databind.node.MissingNode.getInstance();
    }

    private static long interval(JsonNode value) {
        if (value.isMissingNode() || value.asText().isBlank()) {
            return 0;
        }
        String text = value.asText().strip().toLowerCase(Locale.ROOT);
        Matcher matcher = INTERVAL.matcher(text);
        if (matcher.matches()) {
            long number = Long.parseLong(matcher.group(1));
            return switch (matcher.group(2)) {
                case "m" -> number * 60;
                case "h" -> number * 3600;
                case "d" -> number * 86400;
                default -> number;
            };
        }
        return switch (text) {
            case "once", "manual" -> 0;
            case "hourly", "@hourly" -> 3600;
            case "daily", "@daily" -> 86400;
            case "weekly", "@weekly" -> 7 * 86400;
            default ->
                throw new IllegalArgumentException("schedule: " + text
                        + " (expected: seconds, or a number with s, m, h or d, or hourly, daily, weekly)");
        };
    }

    /** Debezium writes ISO text or numbers, by column type and {@code time.precision.mode}. */
    private static Instant instant(String name, JsonNode value) {
        if (value.isMissingNode() || value.isNull()) {
            return null;
        }
        if (value.isNumber()) {
            long number = value.asLong();
            long size = Math.abs(number);
            if (size > 100_000_000_000_000_000L) {
                return Instant.ofEpochSecond(0, number);
            }
            if (size > 100_000_000_000_000L) {
                return Instant.ofEpochSecond(
                        Math.floorDiv(number, 1_000_000L), Math.floorMod(number, 1_000_000L) * 1000L);
            }
            return Instant.ofEpochMilli(number);
        }
        String text = value.asText().strip().replace(' ', 'T');
        try {
            return OffsetDateTime.parse(text).toInstant();
        } catch (DateTimeException e) {
            throw new IllegalArgumentException(name + ": " + text + " (expected: an ISO 8601 instant)", e);
        }
    }
}
