package io.elder.estate;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/** The company with all its systems, and what happens to it while somebody looks. A process with an estate trusts its Azure. */
public final class Estate implements AutoCloseable {
    /** The place that is lost: one kind of one connector stands for its machines, so one plan is held. */
    public static final Company.Place LOST = Company.Place.VCENTER;

    private static final Duration BETWEEN_CHANGES = Duration.ofSeconds(3);
    private static final Duration LATER = Duration.ofSeconds(10);
    private static final Duration UNTIL_LOSS = Duration.ofSeconds(8);

    /** Enough changes to have seen all sorts of them. */
    private static final Duration UNTIL_CALM = Duration.ofSeconds(22);

    private final Company company = new Company();
    private final List<SimulatedSystem> systems = new ArrayList<>();
    private final Map<String, String> settings = new LinkedHashMap<>();
    private Instant nextChange;
    private Instant loss;
    private Instant calm;

    public Estate() {
        for (Function<Company, SimulatedSystem> system : List.<Function<Company, SimulatedSystem>>of(
                SimulatedAuthentik::new,
                SimulatedAws::new,
                SimulatedAzure::new,
                SimulatedDirectory::new,
                SimulatedFleet::new,
                SimulatedGcp::new,
                SimulatedGoogleWorkspace::new,
                SimulatedIboss::new,
                SimulatedKubernetes::new,
                SimulatedLxd::new,
                SimulatedOkta::new,
                SimulatedVcenter::new)) {
            systems.add(system.apply(company));
            settings.putAll(systems.getLast().settings());
            if (systems.getLast() instanceof SimulatedAzure azure) {
                azure.trustAuthority();
            }
        }
    }

    public Company company() {
        return company;
    }

    /** The settings that make Elder's connectors read all of it, all but {@code ..._SYNC_INTERVAL}. */
    public Map<String, String> settings() {
        return settings;
    }

    /** Begins the story: from now on {@link #next} has something to tell. */
    public void begin(Instant now) {
        nextChange = now.plus(BETWEEN_CHANGES);
        loss = now.plus(UNTIL_LOSS);
        calm = now.plus(UNTIL_CALM);
    }

    /** What has happened by now, in a few words: changes every few seconds, and once a place is lost. */
    public Optional<String> next(Instant now) {
        if (nextChange == null || now.isBefore(nextChange)) {
            return Optional.empty();
        }
        boolean isLoss = loss != null && !now.isBefore(loss);
        String told = isLoss ? company.lose(LOST) : company.change(now);
        loss = isLoss ? null : loss;
        nextChange = now.plus(now.isBefore(calm) ? BETWEEN_CHANGES : LATER);
        return Optional.of(told);
    }

    @Override
    public void close() {
        systems.forEach(SimulatedSystem::close);
    }
}
