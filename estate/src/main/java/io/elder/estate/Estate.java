package io.elder.estate;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/** The company with all its systems, and what happens to it while somebody looks. */
public final class Estate implements AutoCloseable {
    /** The place that is lost: only its machines and their disks stand in Elder for it, so few plans are held. */
    public static final Company.Place LOST = Company.Place.GCP;

    private static final Duration BETWEEN_CHANGES = Duration.ofSeconds(3);
    private static final Duration LATER = Duration.ofSeconds(10);
    /** Enough changes to have seen all sorts of them. */
    private static final Duration UNTIL_LOSS = Duration.ofSeconds(22);

    private final Company company = new Company();
    private final List<SimulatedSystem> systems = new ArrayList<>();
    private Instant nextChange;
    private Instant loss;

    public Estate() {
        for (Function<Company, SimulatedSystem> system : List.<Function<Company, SimulatedSystem>>of(
                SimulatedAws::new,
                SimulatedAzure::new,
                SimulatedDirectory::new,
                SimulatedGcp::new,
                SimulatedKubernetes::new)) {
            systems.add(system.apply(company));
        }
    }

    public Company company() {
        return company;
    }

    /** The settings that make Elder's connectors read all of it, all but {@code ..._SYNC_INTERVAL}. */
    public Map<String, String> settings() {
        Map<String, String> settings = new LinkedHashMap<>();
        systems.forEach(system -> settings.putAll(system.settings()));
        return settings;
    }

    /** Begins the story: from now on {@link #next} has something to tell. */
    public void begin(Instant now) {
        nextChange = now.plus(BETWEEN_CHANGES);
        loss = now.plus(UNTIL_LOSS);
    }

    /** What has happened by now, in a few words: changes every few seconds, and once a place is lost. */
    public Optional<String> next(Instant now) {
        if (nextChange == null || now.isBefore(nextChange)) {
            return Optional.empty();
        }
        boolean isLoss = loss != null && !now.isBefore(loss);
        String told = isLoss ? company.lose(LOST) : company.change(now);
        loss = isLoss ? null : loss;
        nextChange = now.plus(loss == null ? LATER : BETWEEN_CHANGES);
        return Optional.of(told);
    }

    @Override
    public void close() {
        systems.forEach(SimulatedSystem::close);
    }
}
