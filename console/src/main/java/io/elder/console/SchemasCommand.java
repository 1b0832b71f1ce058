package io.elder.console;

import io.elder.runtime.KafkaClients;
import io.elder.schemas.Topic;
import io.elder.schemas.serde.FullCompatibility;
import io.elder.schemas.serde.SchemaRegistry;
import io.elder.schemas.serde.SchemaRegistryAwayException;
import io.elder.schemas.serde.SchemaRegistryException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.avro.Schema;
import org.apache.avro.specific.SpecificData;
import org.apache.avro.specific.SpecificRecord;
import picocli.CommandLine.Command;

@Command(
        name = "schemas",
        mixinStandardHelpOptions = true,
        description = "The Avro schemas of this build, in the site's registry.")
final class SchemasCommand {
    private final Site site;
    private final Terminal terminal;

    SchemasCommand(Site site, Terminal terminal) {
        this.site = site;
        this.terminal = terminal;
    }

    @Command(
            name = "register",
            mixinStandardHelpOptions = true,
            description = "Registers the schema of every topic; what is there already stays.")
    int register() {
        return each((registry, subject, schema) ->
                new Outcome(true, "registered", Integer.toString(registry.register(subject, schema)), List.of()));
    }

    @Command(
            name = "check",
            mixinStandardHelpOptions = true,
            description = {
                "Compares the schemas of this build with every version that the registry has (FULL_TRANSITIVE), and asks",
                "the registry whether it would take them. Fails if one would not do; or if one is not registered and",
                "SCHEMA_REGISTRY_AUTO_REGISTER is false."
            })
    int check() {
        boolean registersItself = site.settings().yes("SCHEMA_REGISTRY_AUTO_REGISTER", true);
        return each((registry, subject, schema) -> {
            Map<Integer, Schema> versions = registry.versions(subject);
            List<String> against = new ArrayList<>(FullCompatibility.violations(schema, versions));
            registry.objections(subject, schema).forEach(said -> against.add("the registry: " + said));
            if (!against.isEmpty()) {
                return new Outcome(false, "incompatible", "-", against);
            }
            Optional<Integer> id = registry.findId(subject, schema);
            if (id.isPresent()) {
                return new Outcome(true, "present", id.get().toString(), List.of());
            }
            return registersItself
                    ? new Outcome(true, versions.isEmpty() ? "new" : "compatible, new", "-", List.of())
                    : new Outcome(false, "not registered", "-", List.of("expected: ./elder schemas register"));
        });
    }

    /** @param against what is wrong, a line each */
    private record Outcome(boolean ok, String state, String id, List<String> against) {}

    private interface Call {
        Outcome of(SchemaRegistry registry, String subject, Schema schema);
    }

    private int each(Call call) {
        KafkaClients kafka = site.kafka();
        SchemaRegistry registry = SchemaRegistry.of(Site.impatient(kafka.common()));
        List<List<String>> rows = new ArrayList<>();
        List<String> against = new ArrayList<>();
        boolean failed = false;
        for (Topic<?> topic : kafka.topics().all()) {
            if (!SpecificRecord.class.isAssignableFrom(topic.type())) {
                continue;
            }
            String subject = topic.name() + "-value";
            Schema schema = SpecificData.get().getSchema(topic.type());
            Outcome outcome;
            try {
                outcome = call.of(registry, subject, schema);
            } catch (SchemaRegistryAwayException e) {
                throw new CommandFailed(e.getMessage(), e);
            } catch (SchemaRegistryException e) {
                outcome = new Outcome(false, "failed", "-", List.of(e.getMessage()));
            }
            failed |= !outcome.ok();
            outcome.against().forEach(line -> against.add(subject + ": " + line));
            rows.add(List.of(subject, schema.getName(), outcome.state(), outcome.id()));
        }
        terminal.rows(List.of("subject", "schema", "state", "id"), rows);
        against.forEach(terminal::say);
        return failed ? 1 : 0;
    }
}
