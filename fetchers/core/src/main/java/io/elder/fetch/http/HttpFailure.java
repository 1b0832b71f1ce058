package io.elder.fetch.http;

import com.fasterxml.jackson.databind.JsonNode;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import java.io.IOException;
import java.net.http.HttpHeaders;
import java.util.Optional;

/** An answer that is no success, or no JSON. The message names path, status and what the vendor said. */
public final class HttpFailure extends IOException {
    private static final long serialVersionUID = 1L;

    private final int status;
    private final transient JsonNode body;
    private final transient HttpHeaders headers;

    /**
     * @param body the vendor's answer; a missing node where it was no JSON
     */
    HttpFailure(String message, int status, JsonNode body, HttpHeaders headers) {
        super(message);
        this.status = status;
        this.body = body;
        this.headers = headers;
    }

    public int status() {
        return status;
    }

    public JsonNode body() {
        return body;
    }

    /** What came with the answer; none where this client itself did not like it. */
    public HttpHeaders headers() {
        return headers;
    }

    /** What HTTP itself says of the status (RFC 9110 section 15, RFC 6585); vendors' own codes come before this. */
    public Verdict verdict() {
        Optional<String> retryAfter = headers.firstValue("Retry-After");
        return switch (status) {
            case 200 -> new Verdict.Stop(StopReason.BAD_RESPONSE, getMessage());
            case 401 -> new Verdict.Stop(StopReason.BAD_CREDENTIALS, getMessage());
            case 403 -> new Verdict.Stop(StopReason.FORBIDDEN, getMessage());
            // An ingress without a server behind it says so too, in HTML or plain text: that is not the vendor's word.
            case 404, 410 -> body.isMissingNode() ? new Verdict.RetryWithBackoff() : new Verdict.Gone();
            case 429 -> Verdict.throttled(retryAfter.orElse(null));
            case 503 -> retryAfter.map(Verdict::throttled).orElseGet(Verdict.RetryWithBackoff::new);
            case 408, 425, 500, 502, 504 -> new Verdict.RetryWithBackoff();
            default -> new Verdict.Stop(StopReason.BAD_RESPONSE, getMessage());
        };
    }
}
