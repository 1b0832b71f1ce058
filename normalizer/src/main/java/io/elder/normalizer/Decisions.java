package io.elder.normalizer;

import io.elder.normalizer.state.Decision;
import io.elder.normalizer.state.OpenPlan;
import io.elder.normalizer.state.ScopeState;
import io.elder.schemas.avro.HeldCommand;
import io.elder.schemas.avro.ScopeEvent;
import java.time.Instant;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Keeps what people decided, and the {@link Judge} carried out, until the run comes that it is about: in a rebuild it is
 * read before that run or soon after, otherwise after its plan was closed.
 */
final class Decisions implements Processor<byte[], byte[], Object, Object> {
    /** Scope, NUL, plan to the decision on it. */
    static final String STORE = "decisions";

    private final Deserializer<ScopeEvent> events;
    private final Tally tally;
    private KeyValueStore<String, ScopeState> scopes;
    private KeyValueStore<String, OpenPlan> plans;
    private KeyValueStore<String, Decision> decisions;
    private Letters letters;

    Decisions(Deserializer<ScopeEvent> events, Tally tally) {
        this.events = events;
        this.tally = tally;
    }

    /** The command as the topic of decisions has it. */
    static HeldCommand of(HeldCommand command, OpenPlan plan) {
        // A plan that retires a scope has an id by chance, which is its attempt too, and the time after the scope's
        // last run.
        boolean retires = plan.getAttempt().equals(plan.getPlanId());
        return HeldCommand.newBuilder(command)
                .setRetiredAfter(retires ? plan.getRunId() : "")
                .setObservedAt(Instant.ofEpochMilli(plan.getObservedAt() - (retires ? 1 : 0)))
                .build();
    }

    @Override
    public void init(ProcessorContext<Object, Object> started) {
        scopes = started.getStateStore(Judge.SCOPES);
        plans = started.getStateStore(Judge.PLANS);
        decisions = started.getStateStore(STORE);
        letters = new Letters(started, NormalizerTopology.DEADLETTER_SCOPES, tally);
    }

    @Override
    public void process(Record<byte[], byte[]> in) {
        ScopeEvent event = letters.read(in, events);
        if (event == null) {
            return;
        }
        HeldCommand command = (HeldCommand) event.getBody();
        ScopeState state = scopes.get(event.getScope());
        OpenPlan plan = plans.get(event.getScope());
        boolean isToCome =
                state == null || state.getDecidedAt() < command.getObservedAt().toEpochMilli();
        if (isToCome || (plan != null && plan.getPlanId().equals(command.getPlanId()))) {
            decisions.put(
                    event.getScope() + Stores.NUL + command.getPlanId(),
                    new Decision(
                            command.getPlanId(),
                            command.getRetiredAfter(),
                            command.getAction(),
                            command.getBy(),
                            in.timestamp()));
        }
    }
}
