package io.elder.fetch;

import com.zaxxer.hikari.HikariDataSource;
import io.elder.fetch.http.HttpFailure;
import io.elder.runtime.Redactor;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import io.elder.schemas.avro.PlanTask;
import io.elder.schemas.avro.Task;
import java.io.PrintStream;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import javax.sql.DataSource;

/** Tests connections: of every connector that the environment enables, or of one job. */
public final class ConnectivityCheck {
    private static final String RULE = "=".repeat(60);

    private final FetcherSettings settings;
    private final List<Provider<?>> providers;

    public ConnectivityCheck(FetcherSettings settings, List<Provider<?>> providers) {
        this.settings = settings;
        this.providers = providers;
    }

    /**
     * What became of a test.
     *
     * @param message who we are there, or why not; without secrets
     */
    public record Outcome(boolean ok, String message) {}

    /** Prints what the quickstart shows. Returns whether all that is enabled could be reached. */
    public boolean print(PrintStream out) {
        out.println(RULE);
        out.println("Elder Worker Service - Connectivity Test");
        out.println(RULE);
        boolean isFine = true;
        int enabled = 0;
        if (settings.database().isPresent()) {
            isFine = database(out);
        }
        List<Provider<?>> sorted = providers.stream()
                .sorted(Comparator.comparing(Provider::title, String.CASE_INSENSITIVE_ORDER))
                .toList();
        for (Provider<?> provider : sorted) {
            String title = provider.title();
            if (!settings.environment().yes(JobConfig.prefix(provider.name()) + "ENABLED", false)) {
                out.println("✗ " + title + ": disabled");
                continue;
            }
            enabled++;
            Outcome outcome = connect(provider, null, Fetcher.jobs(settings, Optional.empty(), List.of()));
            out.println(
                    outcome.ok()
                            ? "✓ " + title + " connection successful (" + outcome.message() + ")"
                            : "✗ " + title + " connection failed: " + outcome.message());
            isFine &= outcome.ok();
        }
        out.println(RULE);
        if (enabled == 0) {
            out.println("No connector is enabled (expected: e.g. LDAP_ENABLED=true and the settings of LDAP).");
        } else {
            out.println(isFine ? "All enabled tests passed! Worker is ready to run." : "Some tests failed. See above.");
        }
        out.println(RULE);
        return isFine;
    }

    private boolean database(PrintStream out) {
        try (HikariDataSource pool = settings.database().orElseThrow().pool("check", 1);
                Connection connection = pool.getConnection()) {
            out.println("✓ Elder database connection successful ("
                    + connection.getMetaData().getDatabaseProductVersion() + ")");
            return true;
        } catch (SQLException e) {
            out.println("✗ Elder database connection failed: "
                    + Redactor.ofSettings(settings.environment().values()).redact(e.getMessage()));
            return false;
        }
    }

    /** Tests the connection that a job configures. */
    public static Outcome job(int jobId, String providerName, Settings environment, DataSource database) {
        FetcherSettings settings = FetcherSettings.from(environment);
        return Fetcher.installed(List.of()).stream()
                .filter(provider -> provider.name().equals(providerName))
                .findFirst()
                .map(provider ->
                        connect(provider, jobId, Fetcher.jobs(settings, Optional.of(database), List.of(provider))))
                .orElseGet(() -> new Outcome(false, "provider " + providerName + " is not installed here"));
    }

    private static <C extends AutoCloseable> Outcome connect(Provider<C> provider, Integer jobId, Jobs jobs) {
        Redactor redactor = Redactor.of(List.of());
        try {
            Instant now = Instant.now();
            Jobs.Configured configured =
                    jobs.configuration(new Task("check.0", jobId, provider.name(), now, now, new PlanTask()));
            redactor = configured.redactor();
            try (C client = provider.connect(configured.settings())) {
                return new Outcome(true, redactor.redact(provider.identity(client)));
            }
        } catch (Exception e) {
            boolean isOurs = e instanceof BadConfigurationException
                    || e instanceof SettingsException
                    || e instanceof SQLException;
            String message = Trouble.ofNetwork(e).orElseGet(() -> isOurs ? Trouble.inWords(e) : words(provider, e));
            return new Outcome(false, redactor.redact(message).strip().replaceAll("\\s+", " "));
        }
    }

    private static String words(Provider<?> provider, Exception failure) {
        return switch (Verdict.on(failure, provider)) {
            case Verdict.Stop stop -> stop.reason().label() + ": " + stop.message();
            case Verdict.Gone unused -> notFound(failure);
            default ->
                failure instanceof HttpFailure answer && answer.status() == 404
                        ? notFound(failure)
                        : StopReason.UNREACHABLE.label() + ": " + Trouble.inWords(failure);
        };
    }

    private static String notFound(Exception failure) {
        return StopReason.NOT_FOUND.label() + ": " + Trouble.inWords(failure)
                + " (expected: another address, or path, than the settings name)";
    }
}
