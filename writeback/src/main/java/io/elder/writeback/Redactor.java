package io.elder.writeback;

import io.elder.runtime.Secret;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/** Takes a target's credential out of what its server says, which may repeat it. */
final class Redactor {
    private static final String MASK = "***";

    /** A value this short is no secret, and masking it would make any text unreadable. */
    private static final int SHORTEST_SECRET = 3;

    private Redactor() {}

    static String redact(String text, Secret secret) {
        String value = secret.value().strip();
        if (value.length() < SHORTEST_SECRET) {
            return text;
        }
        return text.replace(value, MASK)
                .replace(URLEncoder.encode(value, StandardCharsets.UTF_8), MASK)
                .replace(Base64.getEncoder().encodeToString(value.getBytes(StandardCharsets.UTF_8)), MASK);
    }
}
