package io.elder.runtime;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Takes known secret values out of text that is about to leave the process. */
public final class Redactor {
    private static final String MASK = "***";
    private static final Pattern ESCAPE = Pattern.compile("%[0-9A-F]{2}");
    private static final int LONGEST_MESSAGE = 2000;

    /** A value this short is no secret, and masking it would make any text unreadable. */
    private static final int SHORTEST_SECRET = 3;

    /** What gives access by its form, whoever made it: what follows a scheme of RFC 9110 section 11, and the tokens of RFC 7519. */
    private static final Pattern BY_FORM = Pattern.compile(
            "(?i)\\b(basic|bearer|ssws)\\s+(?=\\S*\\d)[\\w.~+/=-]{8,}|\\beyJ[\\w-]{5,}\\.[\\w-]+(\\.[\\w-]*)?");

    private final List<String> secrets;

    private Redactor(List<String> secrets) {
        this.secrets = secrets;
    }

    /** Knows these values, also as base64, JSON, XML and URLs have them. */
    public static Redactor of(Collection<String> values) {
        return new Redactor(values.stream()
                .map(String::strip)
                .filter(value -> value.length() >= SHORTEST_SECRET)
                .flatMap(Redactor::forms)
                .distinct()
                // The longest first: a secret may contain another.
                .sorted(Comparator.comparingInt(String::length).reversed())
                .toList());
    }

    private static Stream<String> forms(String value) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        String url = URLEncoder.encode(value, StandardCharsets.UTF_8);
        String json = new String(JsonStringEncoder.getInstance().quoteAsString(value));
        String xml = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
        return Stream.of(
                value,
                url,
                url.replace("+", "%20"),
                ESCAPE.matcher(url).replaceAll(escape -> escape.group().toLowerCase(Locale.ROOT)),
                Base64.getEncoder().encodeToString(bytes),
                Base64.getUrlEncoder().withoutPadding().encodeToString(bytes),
                json,
                json.replace("/", "\\/"),
                xml,
                xml.replace("\"", "&quot;"),
                xml.replace("\"", "&quot;").replace("'", "&apos;"),
                xml.replace("\"", "&#34;").replace("'", "&#39;"));
    }

    /** Knows the values of all settings whose name says that they are secret. */
    public static Redactor ofSettings(Map<String, String> settings) {
        return of(settings.entrySet().stream()
                .filter(setting -> isSecret(setting.getKey()))
                .map(Map.Entry::getValue)
                .toList());
    }

    /** Whether a setting or a field of this name holds a secret. */
    public static boolean isSecret(String name) {
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
        // Those that are known first: what is left of a token that holds one has no form.
        for (String secret : secrets) {
            redacted = redacted.replace(secret, MASK);
        }
        redacted = BY_FORM.matcher(redacted).replaceAll(MASK);
        return redacted.length() <= LONGEST_MESSAGE ? redacted : redacted.substring(0, LONGEST_MESSAGE - 3) + "...";
    }
}
