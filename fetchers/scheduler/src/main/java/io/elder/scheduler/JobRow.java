package io.elder.scheduler;

import com.cronutils.model.Cron;
import com.cronutils.model.CronType;
import com.cronutils.model.definition.CronDefinition;
import com.cronutils.model.definition.CronDefinitionBuilder;
import com.cronutils.model.time.ExecutionTime;
import com.cronutils.parser.CronParser;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the scheduler needs of a row of {@code discovery_jobs}, in whichever shape the database has it, or of a connector
 * that the environment enables.
 *
 * @param intervalSeconds 0 runs once, unless there is a cron expression
 * @param cron five fields, in UTC; null if there is none
 * @param nextRunAt null if unset
 * @param lastRunAt null if it never ran
 */
record JobRow(
        String provider,
        long intervalSeconds,
        String cron,
        boolean enabled,
        String status,
        Instant lastRunAt,
        Instant nextRunAt) {
    private static final CronDefinition UNIX = CronDefinitionBuilder.instanceDefinitionFor(CronType.UNIX);
    private static final Pattern INTERVAL = Pattern.compile("(\\d{1,9})\\s*([smhd]?)");

    static JobRow connector(String provider, Duration interval) {
        return new JobRow(provider, interval.toSeconds(), null, true, "", null, null);
    }

    /** @throws IllegalArgumentException for a value that can't be understood */
    static JobRow of(JsonNode row) {
        String schedule = field(row, "schedule_interval", "schedule").asText("").strip();
        String cron = cron(schedule);
        return new JobRow(
                text(row, "provider", "type"),
                cron == null ? interval(schedule) : 0,
                cron,
                field(row, "enabled", "is_active").asBoolean(true),
                field(row, "status").asText("").toLowerCase(Locale.ROOT),
                instant("last_run_at", row.path("last_run_at")),
                instant("next_run_at", row.path("next_run_at")));
    }

    boolean isPending() {
        return "pending".equals(status);
    }

    /** When the schedule wants a run after one at this instant; empty if it wants none. */
    Optional<Instant> next(Instant last) {
        if (cron != null) {
            return next(parsed(cron), last);
        }
        return intervalSeconds > 0 ? Optional.of(last.plusSeconds(intervalSeconds)) : Optional.empty();
    }

    private static Optional<Instant> next(Cron cron, Instant last) {
        return ExecutionTime.forCron(cron)
                .nextExecution(last.atZone(ZoneOffset.UTC))
                .map(ZonedDateTime::toInstant);
    }

    /** The five fields of a schedule that is cron's, or null if it is none. */
    private static String cron(String schedule) {
        String text =
                switch (schedule.toLowerCase(Locale.ROOT)) {
                    case "monthly", "@monthly" -> "0 0 1 * *";
                    case "yearly", "@yearly", "@annually" -> "0 0 1 1 *";
                    default -> schedule.replaceAll("\\s+", " ");
                };
        if (text.split(" ").length < 2
                || INTERVAL.matcher(text.toLowerCase(Locale.ROOT)).matches()) {
            return null;
        }
        if (next(parsed(text), Instant.EPOCH).isEmpty()) {
            throw new IllegalArgumentException("schedule: " + schedule + " (expected: a time that comes)");
        }
        return text;
    }

    private static Cron parsed(String cron) {
        try {
            return new CronParser(UNIX).parse(cron);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "schedule: " + cron + " (expected: minute hour day month weekday, such as 0 2 * * *): "
                            + e.getMessage(),
                    e);
        }
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

    private static long interval(String schedule) {
        if (schedule.isEmpty()) {
            return 0;
        }
        String text = schedule.toLowerCase(Locale.ROOT);
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
                throw new IllegalArgumentException(
                        "schedule: " + text
                                + " (expected: seconds, or a number with s, m, h or d, or hourly, daily, weekly, or cron's five fields)");
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
