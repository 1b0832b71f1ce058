package io.elder.runtime;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Whether a component can do its work, and if not, why not.
 *
 * @param reasons empty when all is well; one line each, for an operator, without secrets
 */
public record Health(List<String> reasons) {
    public static final Health OK = new Health(List.of());

    public static Health notReady(String... reasons) {
        return new Health(List.of(reasons));
    }

    /** Well only if all are. */
    public static Health all(List<Health> parts) {
        List<String> reasons = new ArrayList<>();
        parts.forEach(part -> reasons.addAll(part.reasons()));
        return new Health(List.copyOf(reasons));
    }

    public static Health all(Health... parts) {
        return all(Arrays.asList(parts));
    }

    public boolean ok() {
        return reasons.isEmpty();
    }
}
