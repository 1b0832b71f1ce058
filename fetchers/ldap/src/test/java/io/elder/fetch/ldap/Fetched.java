package io.elder.fetch.ldap;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Out;
import io.elder.fetch.Partition;
import io.elder.fetch.Resource;
import io.elder.fetch.Verdict;
import io.elder.runtime.Settings;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Everything that one reading of a directory hands out, by kind. */
final class Fetched {
    private final Map<String, List<ObjectNode>> byKind = new LinkedHashMap<>();

    static Fetched from(Map<String, String> settings) throws Exception {
        LdapProvider provider = new LdapProvider();
        Fetched fetched = new Fetched();
        for (Resource<LdapClient> row : provider.resources()) {
            if (row instanceof Resource.Root<LdapClient> root) {
                try (LdapClient client = provider.connect(Settings.of(settings))) {
                    Partition where =
                            provider.partitions(client, (Out) unused -> {}).getFirst();
                    root.fetch().fetch(client, where, fetched.of(root.kind())::add);
                    for (Resource<LdapClient> other : provider.resources()) {
                        if (other instanceof Resource.Child<LdapClient> child
                                && child.parent().kind().equals(root.kind())) {
                            for (ObjectNode parent : fetched.of(root.kind())) {
                                child.fetch().fetch(client, where, parent, fetched.of(child.kind())::add);
                            }
                        }
                    }
                }
            }
        }
        return fetched;
    }

    /** What the provider makes of the failure to read everything. */
    static Verdict failure(Map<String, String> settings) {
        return Verdict.on(thrown(settings), new LdapProvider());
    }

    static Exception thrown(Map<String, String> settings) {
        try {
            from(settings);
        } catch (Exception e) {
            return e;
        }
        throw new AssertionError("everything was read (expected: a failure)");
    }

    List<ObjectNode> of(String kind) {
        return byKind.computeIfAbsent(kind, unused -> new ArrayList<>());
    }

    ObjectNode one(String kind, String field, String value) {
        return of(kind).stream()
                .filter(object -> object.path(field).asText().equals(value))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no " + kind + " with " + field + " " + value));
    }
}
