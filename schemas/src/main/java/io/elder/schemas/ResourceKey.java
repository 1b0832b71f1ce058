package io.elder.schemas;

import java.util.List;

/**
 * One resource, the same whichever scope saw it: {@code provider/account/kind/id}. It is the key of the raw record and
 * the {@code source_key} of the row that stands for the resource.
 *
 * @param id what the vendor calls it, unique in provider, account and kind, e.g. an ARN or an objectGUID
 */
public record ResourceKey(String provider, String account, String kind, String id) {
    public ResourceKey {
        for (String segment : List.of(provider, account, kind, id)) {
            if (segment.isBlank()) {
                throw new IllegalArgumentException("resource key " + provider + "/" + account + "/" + kind + "/" + id
                        + " has an empty segment (expected: provider/account/kind/id)");
            }
        }
    }

    /** Reads what {@link #toString()} wrote. */
    public static ResourceKey parse(String key) {
        List<String> segments = Segments.split(key);
        if (segments.size() != 4) {
            throw new IllegalArgumentException("resource key: " + key + " (expected: provider/account/kind/id)");
        }
        return new ResourceKey(segments.get(0), segments.get(1), segments.get(2), segments.get(3));
    }

    /** The key of a further row that the same resource gives, e.g. the entity beside an identity. */
    public String row(String suffix) {
        return this + "#" + suffix;
    }

    @Override
    public String toString() {
        return Segments.join(provider, account, kind, id);
    }
}
