package io.elder.normalizer.mapping;

import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/** The mappings of all providers. */
public final class Mappings {
    public static final List<Mapping> ALL = List.of(
            new AuthentikMapping(),
            new AwsMapping(),
            new AzureMapping(),
            new FleetdmMapping(),
            new GcpMapping(),
            new GoogleWorkspaceMapping(),
            new IbossMapping(),
            new KubernetesMapping(),
            new LdapMapping(),
            new LxdMapping(),
            new OktaMapping(),
            new VcenterMapping());

    private static final Map<String, Mapping> BY_PROVIDER =
            ALL.stream().collect(Collectors.toUnmodifiableMap(Mapping::provider, mapping -> mapping));

    private Mappings() {}

    /** The rows of a resource. Throws {@link RejectedRecord} where it can't be understood. */
    public static List<Output> map(String key, String payload) {
        Raw raw = Raw.of(key, payload);
        Mapping mapping = BY_PROVIDER.get(raw.key().provider());
        if (mapping == null) {
            throw new UnmappedValue("provider", raw.key().provider(), "one that has a mapping");
        }
        Function<Raw, List<Output>> kind = mapping.kinds().get(raw.key().kind());
        if (kind == null) {
            throw new UnmappedValue(
                    "kind", raw.key().kind(), "one of " + mapping.kinds().keySet());
        }
        return kind.apply(raw);
    }
}
