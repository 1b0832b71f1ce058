package io.elder.console;

import io.elder.runtime.KafkaClients;
import io.elder.schemas.Topic;
import io.elder.schemas.serde.SchemaRegistry;
import io.elder.schemas.serde.SchemaRegistryException;
import java.util.ArrayList;
import java.util.List;
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
        return each("registered", SchemaRegistry::register);
    }

    @Command(
            name = "check",
            mixinStandardHelpOptions = true,
            description = "Fails if a schema of this build is not registered.")
    int check() {
        return each("present", SchemaRegistry::idOf);
    }

    private interface Call {
        int id(SchemaRegistry registry, String subject, Schema schema);
    }

    private int each(String word, Call call) {
        KafkaClients kafka = site.kafka();
        SchemaRegistry registry = SchemaRegistry.of(kafka.common());
        List<List<String>> rows = new ArrayList<>();
        boolean failed = false;
        for (Topic<?> topic : kafka.topics().all()) {
            if (!SpecificRecord.class.isAssignableFrom(topic.type())) {
                continue;
            }
            String subject = topic.name() + "-value";
            Schema schema = SpecificData.get().getSchema(topic.type());
            try {
                rows.add(
                        List.of(subject, schema.getName(), word, Integer.toString(call.id(registry, subject, schema))));
            } catch (SchemaRegistryException e) {
                failed = true;
                rows.add(List.of(subject, schema.getName(), "failed: " + e.getMessage(), "-"));
            }
        }
        terminal.rows(List.of("subject", "schema", "state", "id"), rows);
        return failed ? 1 : 0;
    }
}
