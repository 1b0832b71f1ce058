package io.elder.fetch;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/** Takes known secret values out of text that is about to leave the process. */
public final class Redactor {
    private static final int LONGEST_MESSAGE = 2000;

    /** A value this short is no secret, and masking it would make any text unreadable. */
    private static final int SHORTEST_SECRET = 3;

    private final List<String> secrets;

    private Redactor(List<String> secrets) {
        this.secrets = secrets;
    }

    /** Knows these values, also base64- and URL-encoded. */
    public static Redactor of(Collection<String> values) {
        return new Redactor(values.stream()
                .map(String::strip)
                .filter(value -> value.length() >= SHORTEST_SECRET)
                .flatMap(value -> Stream.of(
                        value,
                        URLEncoder.encode(value, StandardCharsets.UTF_8),
                        Base64.getEncoder().encodeToString(value.getBytes(StandardCharsets.UTF_8))))
                .distinct()
                // The longest first: a secret may contain another.
                .sorted(Comparator.comparingInt(String::length).reversed())
                .toList());
    }

    /** Knows the values of all settings whose name says that they are secret. */
    static Redactor ofSettings(Map<String, String> settings) {
        return of(settings.entrySet().stream()
                .filter(setting -> isSecret(setting.getKey()))
                .map(Map.Entry::getValue)
                .toList());
    }

    /** Whether a setting or a field of this name holds a secret. */
    static boolean isSecret(String name) {
        String upper = name.toUpperCase(Locale.ROOT);
        return Stream.of("PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN").anyMatch(upper::contains)
                // A path to one, and whether one may run programs, are none.
                || (upper.contains("KUBECONFIG") && !upper.endsWith("_PATH") && !upper.endsWith("_EXEC"))
                || upper.endsWith("_KEY")
                || upper.endsWith("_PW")
                // Not what lies in it, such as a project's name: whoever tests a job must read where it goes.
                || upper.endsWith("CREDENTIALS_JSON")
                || upper.equals("KEY");
    }

    public String redact(String text) {
        String redacted = text;
        for (String secret : secrets) {
            redacted = redacted.replace(secret, "***");
        }
        return redacted.length() <= LONGEST_MESSAGE ? redacted : redacted.substring(0, LONGEST_MESSAGE - 3) + "...";
    }
}
