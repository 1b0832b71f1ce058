package io.elder.console;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.runtime.KafkaClients;
import io.elder.schemas.ScopeKey;
import io.elder.schemas.avro.HeldCommand;
import io.elder.schemas.avro.HeldItems;
import io.elder.schemas.avro.HeldPlan;
import io.elder.schemas.avro.HeldSummary;
import io.elder.schemas.avro.ScopeEvent;
import io.elder.schemas.serde.AvroSerializer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Predicate;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Plans that await a person, deletions and write-backs alike, as their topic shows them: what the command line and the HTTP API share. */
final class HeldPlans {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String WAITING = "held";
    private static final Duration CONFIRMATION = Duration.ofSeconds(15);

    /** What a person may say of a plan, and the state in which it then is. */
    private static final Map<String, String> STATES = Map.of("release", "released", "reject", "rejected");

    private final KafkaClients kafka;

    HeldPlans(KafkaClients kafka) {
        this.kafka = kafka;
    }

    /** @param all decided and expired ones too */
    List<ObjectNode> list(boolean all) {
        return read().values().stream()
                .filter(plan -> all || plan.state().equals(WAITING))
                .map(Plan::shown)
                .toList();
    }

    /** @param which its id, or its scope */
    Plan find(String which) {
        return read().values().stream()
                .filter(plan ->
                        plan.id().equals(which) || plan.head().getScope().equals(which))
                .findFirst()
                .orElseThrow(
                        () -> new CommandFailed(
                                "plan " + which
                                        + ": not found (expected: a plan of elder held list, or its scope; the next run of a scope makes a plan anew)"));
    }

    /** A plan that can still be decided on. */
    Plan undecided(String which) {
        Plan plan = find(which);
        if (!plan.state().equals(WAITING)) {
            throw new Conflict("plan " + plan.id() + " is " + plan.state() + " (expected: held)");
        }
        if (plan.head().getExpiresAt().isBefore(Instant.now())) {
            throw new Conflict(
                    "plan " + plan.id() + " expired at " + plan.head().getExpiresAt() + " (expected: held)");
        }
        return plan;
    }

    /** @param action release or reject */
    void decide(Plan plan, String action, String by) {
        known(action);
        if (plan.isWriteback()) {
            new Writebacks(kafka).tell(action, plan.id(), by);
        } else {
            tell(plan.head().getScope(), new HeldCommand(plan.id(), action, by, 0, "", Instant.EPOCH));
        }
    }

    /**
     * Asks for a plan of all that is live in a scope that nobody reads any more.
     *
     * @return its id; empty where not all partitions of a normalizer have listed theirs within a while
     */
    Optional<String> retire(String which, String by) {
        String scope;
        try {
            scope = ScopeKey.parse(which).toString();
        } catch (IllegalArgumentException e) {
            throw new BadInput("scope: " + e.getMessage());
        }
        String id = UUID.randomUUID().toString();
        tell(scope, new HeldCommand(id, "retire", by, partitions(), "", Instant.EPOCH));
        boolean isMade = await(scope, plan -> plan != null && plan.id().equals(id));
        return isMade ? Optional.of(id) : Optional.empty();
    }

    private int partitions() {
        String topic = kafka.topics().verdicts().name();
        try (Admin admin = Site.admin(kafka)) {
            return Kafka.answer(admin.describeTopics(List.of(topic)).allTopicNames())
                    .get(topic)
                    .partitions()
                    .size();
        }
    }

    private void tell(String scope, HeldCommand command) {
        AvroSerializer<ScopeEvent> values = new AvroSerializer<>();
        values.configure(kafka.common(), false);
        Map<String, Object> settings = Site.impatient(kafka.producer(kafka.group("cli")));
        try (KafkaProducer<String, ScopeEvent> producer =
                new KafkaProducer<>(settings, new StringSerializer(), values)) {
            Kafka.answer(producer.send(new ProducerRecord<>(
                    kafka.topics().scopes().name(), scope, new ScopeEvent(scope, Instant.now(), command))));
        }
    }

    /** The state of a plan after this action. */
    static String after(String action) {
        return STATES.get(known(action));
    }

    static String known(String action) {
        if (!STATES.containsKey(action)) {
            throw new BadInput("action: " + action + " (expected: release or reject)");
        }
        return action;
    }

    /** Whether whoever keeps the plan has heard of the decision within a while. */
    boolean awaitDecided(Plan plan, String action) {
        return await(
                plan.head().getScope(),
                now -> now == null || !now.id().equals(plan.id()) || now.state().equals(after(action)));
    }

    /** @param isSo is given the latest plan of the scope, or null */
    private boolean await(String scope, Predicate<Plan> isSo) {
        Instant patience = Instant.now().plus(CONFIRMATION);
        while (Instant.now().isBefore(patience)) {
            if (isSo.test(read().get(scope))) {
                return true;
            }
            try {
                Thread.sleep(500);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
        return false;
    }

    /** The latest plan of a scope, with the records that list its resources. */
    record Plan(HeldPlan head, HeldSummary summary, Map<String, HeldPlan> items) {
        String id() {
            return head.getPlanId();
        }

        String state() {
            return summary.getState();
        }

        boolean isWaiting() {
            return state().equals(WAITING);
        }

        boolean isWriteback() {
            return head.getKind().equals("writeback");
        }

        List<String> keys() {
            List<String> keys = new ArrayList<>();
            items.values().stream()
                    .filter(item -> item.getPlanId().equals(id()))
                    .sorted(Comparator.comparingInt((HeldPlan item) -> ((HeldItems) item.getBody()).getRawPartition())
                            .thenComparingInt(item -> ((HeldItems) item.getBody()).getPart()))
                    .forEach(item -> keys.addAll(((HeldItems) item.getBody()).getKeys()));
            return keys;
        }

        ObjectNode shown() {
            return JSON.createObjectNode()
                    .put("plan_id", id())
                    .put("scope", head.getScope())
                    .put("provider", head.getProvider())
                    .put("kind", head.getKind())
                    .put("run_id", head.getRunId())
                    .put("state", state())
                    .put("deletions", summary.getDeletions())
                    .put("live", summary.getLive())
                    .put("budget", summary.getBudget())
                    .put("by", summary.getBy())
                    .put("reason", summary.getReason())
                    .put("held_at", head.getAt().toString())
                    .put("expires_at", head.getExpiresAt().toString());
        }

        /** With every resource, as far as they are listed so far. */
        ObjectNode listed() {
            ObjectNode shown = shown();
            keys().forEach(shown.putArray("resources")::add);
            return shown;
        }
    }

    private Map<String, Plan> read() {
        Map<String, HeldPlan> latest =
                new TopicReader(kafka).latest(kafka.topics().held().name(), HeldPlan.class);
        Map<String, Plan> plans = new TreeMap<>();
        latest.forEach((key, plan) -> {
            if (plan.getBody() instanceof HeldSummary summary) {
                plans.put(plan.getScope(), new Plan(plan, summary, new HashMap<>()));
            }
        });
        latest.forEach((key, plan) -> {
            if (plan.getBody() instanceof HeldItems && plans.containsKey(plan.getScope())) {
                plans.get(plan.getScope()).items().put(key, plan);
            }
        });
        return plans;
    }
}
