package io.elder.fetch.kubernetes;

import com.fasterxml.jackson.databind.JsonNode;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import java.io.IOException;
import java.util.Optional;

/** An answer of an API server that is no list: its status, and what the server said about it. */
final class KubernetesFailure extends IOException {
    private static final long serialVersionUID = 1L;
    private static final int MOST_SAID = 300;

    private final int status;
    private final String retryAfter;
    private final boolean isAtLogin;

    private KubernetesFailure(String message, int status, String retryAfter, boolean isAtLogin) {
        super(message);
        this.status = status;
        this.retryAfter = retryAfter;
        this.isAtLogin = isAtLogin;
    }

    /** @param body the server's {@code Status}, or whatever else stands in its place */
    static KubernetesFailure of(String where, int status, JsonNode body, Optional<String> retryAfterHeader) {
        boolean isStatus = body.path("kind").asText().equals("Status");
        String said = isStatus ? body.path("message").asText("").strip().replaceAll("\\s+", " ") : "";
        String asked = retryAfterHeader.orElseGet(
                () -> isStatus ? body.path("details").path("retryAfterSeconds").asText(null) : null);
        return new KubernetesFailure(
                where + ": " + status + (said.isEmpty() ? "" : ": " + cut(said)), status, asked, false);
    }

    /** A success that makes no sense. */
    static KubernetesFailure nonsense(String where, String found) {
        return new KubernetesFailure(where + ": " + found, 200, null, false);
    }

    /** The same, met by the first request with these credentials: then they have not expired, they are wrong. */
    KubernetesFailure atLogin() {
        return new KubernetesFailure(getMessage(), status, retryAfter, true);
    }

    int status() {
        return status;
    }

    /** @see <a href="https://kubernetes.io/docs/reference/using-api/api-concepts/">API concepts</a> */
    Verdict verdict() {
        return switch (status) {
            case 401 ->
                isAtLogin
                        ? new Verdict.Stop(StopReason.BAD_CREDENTIALS, getMessage())
                        // Tokens of service accounts and of plug-ins last for minutes.
                        : new Verdict.StartOver();
            case 403 -> new Verdict.Stop(StopReason.FORBIDDEN, getMessage());
            case 404 -> new Verdict.Gone();
            // The snapshot that a continue token belongs to is compacted away: the list has to be read anew.
            case 410 -> new Verdict.StartOver();
            case 429 -> Verdict.throttled(retryAfter);
            case 500, 503, 504 -> retryAfter == null ? new Verdict.RetryWithBackoff() : Verdict.throttled(retryAfter);
            case 408, 502 -> new Verdict.RetryWithBackoff();
            default -> new Verdict.Stop(StopReason.BAD_RESPONSE, getMessage());
        };
    }

    private static String cut(String text) {
        return text.length() <= MOST_SAID ? text : text.substring(0, MOST_SAID) + "...";
    }
}
