package io.elder.normalizer.mapping;

import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** What a provider's resources mean in Elder: a table of pure functions, one per kind. */
public interface Mapping {
    String provider();

    Map<String, Function<Raw, List<Output>>> kinds();
}
