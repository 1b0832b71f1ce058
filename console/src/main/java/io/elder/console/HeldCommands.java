package io.elder.console;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.runtime.KafkaClients;
import io.elder.schemas.avro.HeldCommand;
import io.elder.schemas.avro.HeldItems;
import io.elder.schemas.avro.HeldPlan;
import io.elder.schemas.avro.HeldSummary;
import io.elder.schemas.avro.ScopeEvent;
import io.elder.schemas.serde.AvroDeserializer;
import io.elder.schemas.serde.AvroSerializer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "held",
        mixinStandardHelpOptions = true,
        description = "Deletions and write-backs above their budget, awaiting a person.")
final class HeldCommands {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String WAITING = "held";
    private static final Duration CONFIRMATION = Duration.ofSeconds(15);

    private final Site site;
    private final Terminal terminal;

    HeldCommands(Site site, Terminal terminal) {
        this.site = site;
        this.terminal = terminal;
    }

    @Command(name = "list", mixinStandardHelpOptions = true, description = "Plans that await a decision.")
    int list(
            @Option(names = "--all", description = "decided and expired ones too") boolean all,
            @Option(names = "--json") boolean json) {
        List<ObjectNode> plans = read(site.kafka()).values().stream()
                .filter(plan -> all || plan.state().equals(WAITING))
                .map(Plan::shown)
                .toList();
        if (json) {
            terminal.json(plans);
        } else {
            terminal.table(
                    plans,
                    "plan_id",
                    "scope",
                    "state",
                    "deletions",
                    "live",
                    "budget",
                    "reason",
                    "held_at",
                    "expires_at");
        }
        return 0;
    }

    @Command(
            name = "show",
            mixinStandardHelpOptions = true,
            description = "A plan, and every resource that it would delete.")
    int show(
            @Parameters(paramLabel = "PLAN", description = "a plan's id, or its scope") String which,
            @Option(names = "--json") boolean json) {
        Plan plan = find(read(site.kafka()), which);
        List<String> keys = plan.keys();
        if (json) {
            ObjectNode shown = plan.shown();
            keys.forEach(shown.putArray("resources")::add);
            terminal.json(shown);
        } else {
            terminal.table(
                    List.of(plan.shown()),
                    "plan_id",
                    "scope",
                    "state",
                    "deletions",
                    "live",
                    "budget",
                    "reason",
                    "held_at",
                    "expires_at");
            terminal.line("");
            keys.forEach(terminal::line);
        }
        if (keys.size() < plan.summary().getDeletions() && plan.state().equals(WAITING)) {
            terminal.say(keys.size() + " resources are listed so far, of "
                    + plan.summary().getDeletions());
        }
        return 0;
    }

    @Command(
            name = "release",
            mixinStandardHelpOptions = true,
            description = "Lets the deletions of a plan happen, exactly those shown.")
    int release(
            @Parameters(paramLabel = "PLAN") String which,
            @Option(names = "--by", description = "who decides, for the record; the login name if not given")
                    String by) {
        return decide(which, "release", "released", by);
    }

    @Command(name = "reject", mixinStandardHelpOptions = true, description = "Keeps the rows of a plan.")
    int reject(@Parameters(paramLabel = "PLAN") String which, @Option(names = "--by") String by) {
        return decide(which, "reject", "rejected", by);
    }

    private int decide(String which, String action, String done, String by) {
        KafkaClients kafka = site.kafka();
        Plan plan = find(read(kafka), which);
        if (!plan.state().equals(WAITING)) {
            throw new CommandFailed("plan " + plan.id() + " is " + plan.state() + " (expected: held)");
        }
        if (plan.head().getExpiresAt().isBefore(Instant.now())) {
            throw new CommandFailed(
                    "plan " + plan.id() + " expired at " + plan.head().getExpiresAt());
        }
        String person = by == null ? System.getProperty("user.name", "unknown") : by;
        send(kafka, plan, action, person);
        if (awaitState(kafka, plan, done)) {
            terminal.line("plan " + plan.id() + " " + done);
        } else {
            terminal.line("plan " + plan.id() + ": " + action + " sent; no "
                    + (plan.isWriteback() ? "write-back" : "normalizer") + " has confirmed it yet (elder held list)");
        }
        return 0;
    }

    private static void send(KafkaClients kafka, Plan plan, String action, String person) {
        if (plan.isWriteback()) {
            new Writebacks(kafka).tell(action, plan.id(), person);
            return;
        }
        HeldCommand command = new HeldCommand(plan.id(), action, person);
        AvroSerializer<ScopeEvent> values = new AvroSerializer<>();
        values.configure(kafka.common(), false);
        Map<String, Object> settings = Site.impatient(kafka.producer(kafka.group("cli")));
        try (KafkaProducer<String, ScopeEvent> producer =
                new KafkaProducer<>(settings, new StringSerializer(), values)) {
            String scope = plan.head().getScope();
            Kafka.answer(producer.send(new ProducerRecord<>(
                    kafka.topics().scopes().name(), scope, new ScopeEvent(scope, Instant.now(), command))));
        }
    }

    private boolean awaitState(KafkaClients kafka, Plan plan, String state) {
        Instant patience = Instant.now().plus(CONFIRMATION);
        while (Instant.now().isBefore(patience)) {
            Plan now = read(kafka).get(plan.head().getScope());
            if (now == null || !now.id().equals(plan.id()) || now.state().equals(state)) {
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
    private record Plan(HeldPlan head, HeldSummary summary, Map<String, HeldPlan> items) {
        String id() {
            return head.getPlanId();
        }

        String state() {
            return summary.getState();
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
    }

    private static Map<String, Plan> read(KafkaClients kafka) {
        AvroDeserializer<HeldPlan> values = new AvroDeserializer<>();
        values.configure(kafka.common(), false);
        Map<String, HeldPlan> latest = new HashMap<>();
        new TopicReader(kafka).read(kafka.topics().held().name(), values, record -> {
            String key = new String(record.key(), StandardCharsets.UTF_8);
            if (record.value() == null) {
                latest.remove(key);
            } else {
                latest.put(key, record.value());
            }
        });
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

    private static Plan find(Map<String, Plan> plans, String which) {
        return plans.values().stream()
                .filter(plan ->
                        plan.id().equals(which) || plan.head().getScope().equals(which))
                .findFirst()
                .orElseThrow(
                        () -> new CommandFailed("plan " + which + ": not found (expected: one of elder held list)"));
    }
}
