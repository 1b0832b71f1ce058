package io.elder.bench;

import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;

/** Secrets of a campaign: each is at one place only, so that a find says whose it was. */
final class Canaries {
    private final Map<String, String> secrets = new ConcurrentSkipListMap<>();
    private final Map<String, String> forms = new ConcurrentSkipListMap<>();

    /** The secret of this name, such as {@code sink's Kafka password}. */
    String secret(String name) {
        return secret(name, of(name));
    }

    /** One that is what it is. */
    String secret(String name, String secret) {
        secrets.put(name, secret);
        return secret;
    }

    /** Another form of a secret, such as that in a header. */
    void form(String name, String form) {
        forms.put(name, form);
    }

    int count() {
        return secrets.size();
    }

    /** What must be found nowhere, by its name: the secrets and their other forms. */
    Map<String, String> all() {
        Map<String, String> all = new TreeMap<>(secrets);
        all.putAll(forms);
        return all;
    }

    /** What {@link #secret(String)} gives, the same in every process. */
    static String of(String name) {
        return "canary-" + name.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-");
    }
}
