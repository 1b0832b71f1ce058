package io.elder.writeback;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlannedChange;
import io.elder.schemas.avro.WritebackPlan;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What every target keeps, against a system that answers as the vendor's does. */
abstract class TargetContract {
    private final List<Duration> pauses = new ArrayList<>();
    private Targets targets;
    private Caller caller;

    abstract String provider();

    /** Settings that reach the system. */
    abstract Map<String, String> settings();

    abstract String group();

    /** Somebody who is in the group. */
    abstract String member();

    /** Somebody who is not. */
    abstract String stranger();

    abstract boolean isIn(String user);

    @BeforeEach
    final void connect() {
        Map<String, String> values = new HashMap<>(settings());
        values.put(provider().toUpperCase(java.util.Locale.ROOT) + "_WRITE_BACK_ENABLED", "true");
        Settings settings = Settings.of(values);
        targets = Targets.of(settings, WritebackSettings.from(settings), Clock.systemUTC());
        settings.check();
        caller =
                new Caller(targets, 4, Clock.systemUTC(), pauses::add, () -> 0.5, new Tally(new SimpleMeterRegistry()));
    }

    @AfterEach
    final void disconnect() {
        targets.close();
    }

    final Caller.Result make(String operation, String group, String user) throws InterruptedException {
        return make(operation, group, user, Instant.now());
    }

    private Caller.Result make(String operation, String group, String user, Instant planned)
            throws InterruptedException {
        PlannedChange change = new PlannedChange(operation, user, List.of(), null, planned);
        return caller.make(new WritebackPlan("plan", provider(), group, null, planned, null, List.of(change)), change);
    }

    final List<Duration> pauses() {
        return pauses;
    }

    final Caller caller() {
        return caller;
    }

    @Test
    final void addingTwiceIsAddingOnce() throws InterruptedException {
        assertThat(make("add", group(), stranger()).outcome()).isEqualTo(Outcome.APPLIED);
        assertThat(make("add", group(), stranger()).outcome()).isEqualTo(Outcome.APPLIED);
        assertThat(isIn(stranger())).isTrue();
    }

    @Test
    final void removingWhoIsNotThereIsFine() throws InterruptedException {
        assertThat(make("remove", group(), member()).outcome()).isEqualTo(Outcome.APPLIED);
        assertThat(make("remove", group(), member()).outcome()).isEqualTo(Outcome.APPLIED);
        assertThat(isIn(member())).isFalse();
    }

    @Test
    final void aPlanOfLastWeekThatIsReadAgainIsNotMade() throws InterruptedException {
        Instant lastWeek = Instant.now().minus(Duration.ofDays(8));
        assertThat(make("remove", group(), member(), lastWeek).outcome()).isEqualTo(Outcome.STALE);
        assertThat(isIn(member())).isTrue();
    }

    @Test
    final void anUnknownGroupOrUserIsAResult() throws InterruptedException {
        assertThat(make("add", unknownGroup(), stranger()).outcome()).isEqualTo(Outcome.GONE);
        assertThat(make("add", group(), unknownUser()).outcome()).isEqualTo(Outcome.GONE);
        assertThat(pauses).as("nothing is tried again").isEmpty();
    }

    String unknownGroup() {
        return "00000000-0000-4000-8000-000000000000";
    }

    String unknownUser() {
        return "987654321";
    }
}
