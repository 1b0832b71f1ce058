package io.elder.schemas;

import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/** Joins the segments of a key with slashes, so that a slash or a percent sign inside a segment stays unambiguous. */
final class Segments {
    private Segments() {}

    static String join(String... segments) {
        String[] encoded = segments.clone();
        Arrays.setAll(encoded, i -> encode(encoded[i]));
        return String.join("/", encoded);
    }

    static List<String> split(String key) {
        String[] segments = key.split("/", -1);
        Arrays.setAll(segments, i -> decode(segments[i]));
        return List.of(segments);
    }

    private static String decode(String segment) {
        return segment.indexOf('%') < 0
                ? segment
                : URLDecoder.decode(segment.replace("+", "%2B"), StandardCharsets.UTF_8);
    }

    /** Only what would break a key is encoded: most keys stay readable as they are. */
    private static String encode(String segment) {
        boolean plain = true;
        for (int i = 0; i < segment.length() && plain; i++) {
            char c = segment.charAt(i);
            plain = c != '/' && c != '%' && c != '#' && c > ' ' && c != 127;
        }
        if (plain) {
            return segment;
        }
        StringBuilder encoded = new StringBuilder(segment.length() + 8);
        segment.codePoints().forEach(c -> {
            if (c == '/' || c == '%' || c == '#' || c <= ' ' || c == 127) {
                encoded.append(URLEncoder.encode(Character.toString(c), StandardCharsets.UTF_8)
                        .replace("+", "%20"));
            } else {
                encoded.appendCodePoint(c);
            }
        });
        return encoded.toString();
    }
}
