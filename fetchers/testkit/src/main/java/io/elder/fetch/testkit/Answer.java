package io.elder.fetch.testkit;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * What a scripted server answers.
 *
 * @param isCut whether the connection breaks off in the middle of the body
 */
public record Answer(int status, String body, Map<String, String> headers, boolean isCut) {
    public static Answer of(int status, String body) {
        return new Answer(status, body, Map.of(), false);
    }

    public static Answer of(int status) {
        return of(status, "");
    }

    public Answer header(String name, String value) {
        Map<String, String> all = new HashMap<>(headers);
        all.put(name, value);
        return new Answer(status, body, Map.copyOf(all), isCut);
    }

    /** The same with another body. */
    Answer body(String other) {
        return new Answer(status, other, headers, isCut);
    }

    Answer cut() {
        return new Answer(status, body, headers, true);
    }

    byte[] bytes() {
        return body.getBytes(StandardCharsets.UTF_8);
    }
}
