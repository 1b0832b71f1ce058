package io.elder.console;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.runtime.KafkaClients;
import io.elder.schemas.avro.PlannedChange;
import io.elder.schemas.avro.WritebackCommand;
import io.elder.schemas.avro.WritebackEvent;
import io.elder.schemas.avro.WritebackPlan;
import io.elder.schemas.avro.WritebackResult;
import io.elder.schemas.serde.AvroDeserializer;
import io.elder.schemas.serde.AvroSerializer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Write-back as its topics show it, and people's words to it: what the command line and the HTTP API share. */
final class Writebacks {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> PROVIDERS = List.of("authentik", "ldap", "okta");

    private final KafkaClients kafka;

    Writebacks(KafkaClients kafka) {
        this.kafka = kafka;
    }

    /** By provider: whether changes are made or held, and what came of the last change of each membership. */
    List<ObjectNode> status() {
        Map<String, ObjectNode> byProvider = new TreeMap<>();
        for (String provider : PROVIDERS) {
            ObjectNode node = JSON.createObjectNode().put("provider", provider).put("state", "not run yet");
            for (String outcome : List.of("applied", "already", "gone", "refused", "failed", "moved")) {
                node.put(outcome, 0);
            }
            node.putNull("last_at");
            byProvider.put(provider, node);
        }
        results().values().forEach(result -> {
            ObjectNode node = byProvider.get(result.getProvider());
            if (node == null) {
                return;
            }
            if (result.getMemberId().isEmpty()) {
                String why = result.getMessage() == null ? "" : ": " + result.getMessage();
                node.put("state", result.getOutcome() + why);
                return;
            }
            node.put(result.getOutcome(), node.path(result.getOutcome()).asInt() + 1);
            String at = result.getAt().toString();
            if (node.path("last_at").asText("").compareTo(at) < 0
                    || node.path("last_at").isNull()) {
                node.put("last_at", at);
            }
        });
        return List.copyOf(byProvider.values());
    }

    ObjectNode status(String provider) {
        known(provider);
        return status().stream()
                .filter(node -> node.path("provider").asText().equals(provider))
                .findFirst()
                .orElseThrow();
    }

    /** The plans that were carried out or are being carried out, the latest last. */
    List<ObjectNode> plans(int most) {
        Map<String, WritebackResult> results = results();
        List<ObjectNode> all = new ArrayList<>();
        read().forEach((id, parts) -> all.add(shown(id, parts, results)));
        return all.subList(Math.max(0, all.size() - most), all.size());
    }

    /** One plan with its changes. */
    ObjectNode plan(String id) {
        List<WritebackPlan> parts = read().get(id);
        if (parts == null) {
            throw new CommandFailed("plan " + id + ": not found (expected: one of elder writeback plan)");
        }
        Map<String, WritebackResult> results = results();
        ObjectNode shown = shown(id, parts, results);
        ArrayNode changes = shown.putArray("list");
        for (WritebackPlan part : parts) {
            for (PlannedChange change : part.getChanges()) {
                changes.addObject()
                        .put("operation", change.getOperation())
                        .put("group", part.getGroupId())
                        .put("group_name", part.getGroupName())
                        .put("member", change.getMemberId())
                        .put("outcome", outcome(id, part, change, results));
            }
        }
        return shown;
    }

    void undo(String id, String by) {
        plan(id);
        tell("undo", id, by);
    }

    void enable(String provider, boolean isEnabled, String by) {
        known(provider);
        tell(isEnabled ? "enable" : "disable", provider, by);
    }

    static void known(String provider) {
        if (!PROVIDERS.contains(provider)) {
            throw new BadInput("provider: " + provider + " (expected: " + String.join(", ", PROVIDERS) + ")");
        }
    }

    /** @param action release, reject, undo, enable or disable */
    void tell(String action, String subject, String by) {
        AvroSerializer<WritebackEvent> values = new AvroSerializer<>();
        values.configure(kafka.common(), false);
        Map<String, Object> settings = Site.impatient(kafka.producer(kafka.group("cli")));
        try (KafkaProducer<String, WritebackEvent> producer =
                new KafkaProducer<>(settings, new StringSerializer(), values)) {
            Kafka.answer(producer.send(new ProducerRecord<>(
                    kafka.topics().writebackEvents().name(),
                    0,
                    subject,
                    new WritebackEvent(Instant.now(), new WritebackCommand(action, subject, by)))));
        }
    }

    private static ObjectNode shown(String id, List<WritebackPlan> parts, Map<String, WritebackResult> results) {
        WritebackPlan first = parts.getFirst();
        int changes = 0;
        Map<String, Integer> outcomes = new TreeMap<>();
        for (WritebackPlan part : parts) {
            for (PlannedChange change : part.getChanges()) {
                changes++;
                outcomes.merge(outcome(id, part, change, results), 1, Integer::sum);
            }
        }
        List<String> said = new ArrayList<>();
        outcomes.forEach((outcome, count) -> said.add(count + " " + outcome));
        return JSON.createObjectNode()
                .put("plan_id", id)
                .put("provider", first.getProvider())
                .put("group", first.getGroupName() == null ? first.getGroupId() : first.getGroupName())
                .put("changes", changes)
                .put("outcomes", String.join(", ", said))
                .put("by", first.getBy())
                .put("at", first.getAt().toString());
    }

    /** Results are kept of the last change of each membership only. */
    private static String outcome(
            String id, WritebackPlan part, PlannedChange change, Map<String, WritebackResult> results) {
        WritebackResult result = results.get(part.getProvider() + "/" + part.getGroupId() + "/" + change.getMemberId());
        if (result == null) {
            return "under way";
        }
        if (result.getPlanId().equals(id)) {
            return result.getOutcome();
        }
        return result.getAt().isBefore(part.getAt()) ? "under way" : "changed since";
    }

    private Map<String, List<WritebackPlan>> read() {
        AvroDeserializer<WritebackPlan> values = new AvroDeserializer<>();
        values.configure(kafka.common(), false);
        List<WritebackPlan> all = new ArrayList<>();
        new TopicReader(kafka).read(kafka.topics().writebackPlans().name(), values, record -> all.add(record.value()));
        all.sort(java.util.Comparator.comparing(WritebackPlan::getAt));
        Map<String, List<WritebackPlan>> byId = new LinkedHashMap<>();
        all.forEach(plan -> byId.computeIfAbsent(plan.getPlanId(), unused -> new ArrayList<>())
                .add(plan));
        return byId;
    }

    private Map<String, WritebackResult> results() {
        return new TopicReader(kafka).latest(kafka.topics().writebackResults().name(), WritebackResult.class);
    }
}
