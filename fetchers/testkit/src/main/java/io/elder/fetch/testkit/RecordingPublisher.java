package io.elder.fetch.testkit;

import io.elder.fetch.Publisher;
import io.elder.schemas.ResourceKey;
import io.elder.schemas.ScopeKey;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.Task;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Keeps in memory what a task publishes. */
public final class RecordingPublisher implements Publisher {
    private final List<Written> records = Collections.synchronizedList(new ArrayList<>());
    private final List<Sealed> seals = Collections.synchronizedList(new ArrayList<>());
    private final List<RunEvent> events = Collections.synchronizedList(new ArrayList<>());

    /** A record in the log. */
    public record Written(ScopeKey scope, String attempt, ResourceKey key, String payload) {}

    /** A seal in the log. */
    public record Sealed(ScopeKey scope, String attempt, long count) {}

    @Override
    public Publisher.Attempt open(Task task, ScopeKey scope, String attempt) {
        return new Publisher.Attempt() {
            private long count;

            @Override
            public synchronized void write(ResourceKey key, String payload) {
                records.add(new Written(scope, attempt, key, payload));
                count++;
            }

            @Override
            public void seal() {
                seals.add(new Sealed(scope, attempt, count));
            }

            @Override
            public synchronized long count() {
                return count;
            }
        };
    }

    @Override
    public void tell(RunEvent event) {
        events.add(event);
    }

    /** Every record, also those of attempts that broke off. */
    public List<Written> records() {
        return List.copyOf(records);
    }

    /** The records that a seal vouches for. */
    public List<Written> sealedRecords() {
        return records().stream()
                .filter(record -> seals.stream().anyMatch(seal -> seal.attempt().equals(record.attempt())))
                .toList();
    }

    public List<Sealed> seals() {
        return List.copyOf(seals);
    }

    public List<RunEvent> events() {
        return List.copyOf(events);
    }

    /** The bodies of the events of one type. */
    public <T> List<T> events(Class<T> type) {
        return events.stream()
                .map(RunEvent::getBody)
                .filter(type::isInstance)
                .map(type::cast)
                .toList();
    }
}
