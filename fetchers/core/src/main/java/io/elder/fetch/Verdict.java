package io.elder.fetch;

import io.elder.runtime.SettingsException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;

/** What a provider says about a failure of its own API. */
public sealed interface Verdict {
    /** The system asks to go slower, and says for how long to stay away. */
    record RetryAfter(Duration pause) implements Verdict {}

    /** The system asks to go slower. */
    record Throttled() implements Verdict {}

    /** A passing trouble, such as a 5xx or a lost connection: the same again after a random pause that grows. */
    record RetryWithBackoff() implements Verdict {}

    /**
     * The same request will never be answered, but a new reading of the scope on a new connection may be: credentials
     * that expired, a cursor that the system has forgotten.
     */
    record StartOver() implements Verdict {}

    /** The object does not exist: a parent that went away meanwhile is skipped; for a root row it is a {@link Stop}. */
    record Gone() implements Verdict {}

    /** Trying again does not help. */
    record Stop(StopReason reason, String message) implements Verdict {}

    /** The verdict on what a provider threw: the failure's own where it knows, else the provider's. */
    static Verdict on(Throwable failure, Provider<?> provider) {
        return switch (failure) {
            case ReadFailure e -> e.verdict();
            case BadConfigurationException e -> new Stop(StopReason.BAD_CONFIGURATION, e.getMessage());
            case SettingsException e -> new Stop(StopReason.BAD_CONFIGURATION, e.getMessage());
            default -> provider.classify(failure);
        };
    }

    /**
     * The verdict on a throttled request, by the header {@code Retry-After} of its answer.
     *
     * @param retryAfter seconds or an HTTP date; null, or anything else, where the system names no time
     * @see <a href="https://www.rfc-editor.org/rfc/rfc9110#field.retry-after">RFC 9110, 10.2.3</a>
     */
    static Verdict throttled(String retryAfter) {
        if (retryAfter == null) {
            return new Throttled();
        }
        String text = retryAfter.strip();
        if (text.matches("\\d{1,9}")) {
            return new RetryAfter(Duration.ofSeconds(Long.parseLong(text)));
        }
        try {
            Instant until = ZonedDateTime.parse(text, DateTimeFormatter.RFC_1123_DATE_TIME)
                    .toInstant();
            Duration pause = Duration.between(Instant.now(), until);
            return new RetryAfter(pause.isNegative() ? Duration.ZERO : pause);
        } catch (DateTimeException unused) {
            return new Throttled();
        }
    }
}
