package io.elder.fetch.http;

import com.fasterxml.jackson.databind.JsonNode;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import java.io.IOException;
import java.time.Clock;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** An answer that is no success, or no JSON. The message names path, status and what the vendor said. */
public final class HttpFailure extends IOException {
    private static final long serialVersionUID = 1L;

    private final int status;
    private final transient JsonNode body;
    private final Optional<String> retryAfter;

    /**
     * @param body the vendor's answer; a missing node where it was no JSON
     * @param retryAfter the header, as sent
     */
    HttpFailure(String message, int status, JsonNode body, Optional<String> retryAfter) {
        super(message);
        this.status = status;
        this.body = body;
        this.retryAfter = retryAfter;
    }

    public int status() {
        return status;
    }

    public JsonNode body() {
        return body;
    }

    /** When the server wants to be asked again. */
    public Optional<Instant> retryAt(Clock clock) {
        return retryAfter.flatMap(value -> parse(value.strip(), clock));
    }

    /** What HTTP itself says of the status (RFC 9110 section 15, RFC 6585); vendors' own codes come before this. */
    public Verdict verdict(Clock clock) {
        return switch (status) {
            case 200 -> new Verdict.Stop(StopReason.BAD_RESPONSE, getMessage());
            case 401 -> new Verdict.Stop(StopReason.BAD_CREDENTIALS, getMessage());
            case 403 -> new Verdict.Stop(StopReason.FORBIDDEN, getMessage());
            case 404, 410 -> new Verdict.Gone();
            case 408, 425, 429, 500, 502, 503, 504 ->
                retryAt(clock).<Verdict>map(Verdict.RetryAt::new).orElseGet(Verdict.RetryWithBackoff::new);
            default -> new Verdict.Stop(StopReason.BAD_RESPONSE, getMessage());
        };
    }

    /** Seconds or a date: RFC 9110 section 10.2.3. What is neither is as good as absent. */
    private static Optional<Instant> parse(String value, Clock clock) {
        if (!value.isEmpty() && value.length() < 10 && value.chars().allMatch(Character::isDigit)) {
            return Optional.of(clock.instant().plusMillis(TimeUnit.SECONDS.toMillis(Long.parseLong(value))));
        }
        try {
            return Optional.of(ZonedDateTime.parse(value, DateTimeFormatter.RFC_1123_DATE_TIME)
                    .toInstant());
        } catch (DateTimeException e) {
            return Optional.empty();
        }
    }
}
