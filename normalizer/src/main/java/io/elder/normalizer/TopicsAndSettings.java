package io.elder.normalizer;

import io.elder.schemas.Topics;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.Map;

/**
 * What the topology is made of.
 *
 * @param serdes settings of the Avro serializers, e.g. {@code schema.registry.url}
 * @param meters where scopes sealed, held and failed, and records skipped and dead-lettered, are counted
 */
public record TopicsAndSettings(
        Topics topics, NormalizerSettings settings, Map<String, Object> serdes, MeterRegistry meters) {}
