package io.elder.normalizer;

import io.elder.normalizer.mapping.Output;
import io.elder.normalizer.state.Person;
import io.elder.normalizer.state.PersonsIdentity;
import io.elder.schemas.ElderTable;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.Row;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Links the identities that share a verified e-mail address. Each of them but the first by key has one link, to the first, so
 * that what is linked does not depend on who was seen earlier.
 */
final class SamePerson implements Processor<byte[], byte[], Object, Object> {
    static final String PERSONS = "persons";

    private final NormalizerSettings settings;
    private final Deserializer<InventoryRecord> identities;
    private final Tally tally;
    private ProcessorContext<Object, Object> context;
    private KeyValueStore<String, Person> persons;
    private Letters letters;
    private Commits commits;

    SamePerson(NormalizerSettings settings, Deserializer<InventoryRecord> identities, Tally tally) {
        this.settings = settings;
        this.identities = identities;
        this.tally = tally;
    }

    /**
     * The key of the link that is an identity's own, as long as it has this address: two addresses are two people to us, told
     * of side by side, and the end of the one must not end the link of the other.
     */
    static String link(String identity, String email) {
        return identity + "#same_person:" + email;
    }

    @Override
    public void init(ProcessorContext<Object, Object> started) {
        context = started;
        persons = started.getStateStore(PERSONS);
        letters = new Letters(started, NormalizerTopology.DEADLETTER_PERSONS, tally);
        commits = new Commits(started, settings.commitInterval());
    }

    @Override
    public void process(Record<byte[], byte[]> in) {
        commits.processed(in);
        InventoryRecord seen = letters.read(in, identities);
        if (seen == null) {
            return;
        }
        String email = new String(in.key(), StandardCharsets.UTF_8);
        Person known = persons.get(email);
        // Links of one person come from runs of several systems; the sink never lets an older one win.
        long at = Math.max(seen.getObservedAt().toEpochMilli(), known == null ? 0 : known.getObservedAt());
        TreeMap<String, Optional<String>> linkedTo = new TreeMap<>();
        if (known != null) {
            known.getIdentities().forEach(each -> linkedTo.put(each.getKey(), Optional.ofNullable(each.getLinkedTo())));
        }
        if (((Row) seen.getBody()).getDeleted()) {
            Optional<String> gone = linkedTo.remove(seen.getKey());
            if (gone != null) {
                gone.ifPresent(first -> send(seen, email, seen.getKey(), first, true, at, in.timestamp()));
            }
        } else {
            linkedTo.putIfAbsent(seen.getKey(), Optional.empty());
        }
        linkedTo.replaceAll((identity, link) -> {
            String first = linkedTo.firstKey();
            if (identity.equals(first)) {
                link.ifPresent(old -> send(seen, email, identity, old, true, at, in.timestamp()));
                return Optional.empty();
            }
            if (!link.equals(Optional.of(first))) {
                send(seen, email, identity, first, false, at, in.timestamp());
            }
            return Optional.of(first);
        });
        // Kept when nobody is left: whoever comes back must not come with an earlier time than the links that are gone.
        List<PersonsIdentity> left = linkedTo.entrySet().stream()
                .map(entry ->
                        new PersonsIdentity(entry.getKey(), entry.getValue().orElse(null)))
                .toList();
        persons.put(email, new Person(at, left));
    }

    private void send(
            InventoryRecord cause, String email, String from, String to, boolean deleted, long at, long timestamp) {
        String key = link(from, email);
        Row link = Output.row(ElderTable.DEPENDENCIES, key)
                .set("source_type", ElderTable.IDENTITIES.noun())
                .set("target_type", ElderTable.IDENTITIES.noun())
                .set("dependency_type", "same_person")
                .refer("source", from)
                .refer("target", to)
                .attribute("verified_email", email)
                .build()
                .row();
        InventoryRecord record = new InventoryRecord(
                key, cause.getScope(), cause.getRunId(), Instant.ofEpochMilli(at), deleted ? Stores.gone(link) : link);
        context.forward(new Record<Object, Object>(key, record, timestamp), NormalizerTopology.INVENTORY_LINKS);
    }
}
