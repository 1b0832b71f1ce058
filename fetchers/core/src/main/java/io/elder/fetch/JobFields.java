package io.elder.fetch;

import io.elder.runtime.Redactor;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Which settings a job does not simply lay over the environment's, one by one. A mixture of both must never send the site's
 * credentials to a server of the job's choice, nor ask for something that neither of them meant. Fields are named as in
 * settings, without the provider's prefix.
 *
 * @param whoIsAsked fields that choose the server or the cloud, besides those that every provider may have: a job that
 *     changes one of them has none of the environment's credentials
 * @param whoAsks fields that choose the account: the same, and they are themselves credentials
 * @param alternatives ways to say the same thing
 * @param refused fields that no job may have, and what was expected instead
 */
public record JobFields(
        Set<String> whoIsAsked, Set<String> whoAsks, List<Alternatives> alternatives, Map<String, String> refused) {
    private static final Set<String> WHO_IS_ASKED_EVERYWHERE = Set.of(
            "SERVER",
            "HOST",
            "URL",
            "DOMAIN",
            "API_URL",
            "PORT",
            "USE_SSL",
            "USE_STARTTLS",
            "VERIFY_CERT",
            "VERIFY_SSL",
            "FINGERPRINT",
            "CA_CERT",
            "CA_FILE");

    /** What holds for every provider. */
    public static final JobFields USUAL = new JobFields(Set.of(), Set.of(), List.of(), Map.of());

    /**
     * A job that brings one of these fields has none of the environment's.
     *
     * @param andTheirs further fields of the environment that go with them
     */
    public record Alternatives(Set<String> fields, Set<String> andTheirs) {}

    public JobFields whoIsAsked(String... fields) {
        return new JobFields(with(whoIsAsked, fields), whoAsks, alternatives, refused);
    }

    public JobFields whoAsks(String... fields) {
        return new JobFields(whoIsAsked, with(whoAsks, fields), alternatives, refused);
    }

    public JobFields alternatives(Set<String> fields, Set<String> andTheirs) {
        Alternatives more = new Alternatives(fields, andTheirs);
        return new JobFields(
                whoIsAsked,
                whoAsks,
                Stream.concat(alternatives.stream(), Stream.of(more)).toList(),
                refused);
    }

    public JobFields refused(String field, String expected) {
        Map<String, String> all = new HashMap<>(refused);
        all.put(field, expected);
        return new JobFields(whoIsAsked, whoAsks, alternatives, Map.copyOf(all));
    }

    /** Whether another value of this field means another server or another account. */
    boolean redirects(String field) {
        return WHO_IS_ASKED_EVERYWHERE.contains(field) || whoIsAsked.contains(field) || whoAsks.contains(field);
    }

    boolean isCredential(String field) {
        return Redactor.isSecret(field)
                || ("_" + field).endsWith("_BIND_DN")
                || ("_" + field).endsWith("_USERNAME")
                || whoAsks.contains(field);
    }

    private static Set<String> with(Set<String> some, String... more) {
        Set<String> all = new HashSet<>(some);
        all.addAll(List.of(more));
        return Set.copyOf(all);
    }
}
