package io.elder.fetch;

import com.zaxxer.hikari.HikariDataSource;
import io.elder.runtime.Component;
import io.elder.runtime.Health;
import io.elder.runtime.KafkaClients;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import io.elder.schemas.ScopeKey;
import io.elder.schemas.Topics;
import io.elder.schemas.serde.DeadLetter;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.stream.Collectors;
import javax.sql.DataSource;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The fetcher process: one loop per provider, all sharing the slots for tasks and one producer. */
public final class Fetcher implements Component {
    private final List<FetcherLoop> loops = new ArrayList<>();
    private final List<String> names = new ArrayList<>();
    private final Optional<HikariDataSource> database;
    private final JobConfig jobs;
    private final KafkaPublisher publisher;
    private final KafkaProducer<byte[], byte[]> deadletters;
    private final Topics topics;
    private final Metrics metrics;

    /** A fetcher for the providers on the classpath. */
    public Fetcher(FetcherSettings settings, KafkaClients kafka, Metrics metrics) {
        this(settings, kafka, metrics, installed(settings.providers()));
    }

    Fetcher(FetcherSettings settings, KafkaClients kafka, Metrics metrics, List<Provider<?>> providers) {
        this.metrics = metrics;
        this.topics = kafka.topics();
        this.database = settings.database().map(each -> each.pool("fetcher", 2));
        this.publisher = KafkaPublisher.of(kafka.producer(kafka.group("fetcher")), topics);
        this.deadletters = new KafkaProducer<>(
                kafka.producer(kafka.group("fetcher-deadletter")),
                new ByteArraySerializer(),
                new ByteArraySerializer());
        this.jobs = jobs(settings, database.map(DataSource.class::cast), providers);
        Retries retries = Retries.of(settings.maxRetries(), Clock.systemUTC());
        Semaphore slots = new Semaphore(settings.maxConcurrent());
        metrics.registry().gauge("elder_fetcher_free_slots", slots, Semaphore::availablePermits);
        for (Provider<?> provider : providers) {
            names.add(provider.name());
            loops.add(new FetcherLoop(
                    provider.name(),
                    topics.tasks(provider.name()).name(),
                    kafka.consumer("fetcher-" + provider.name()),
                    runner(provider, retries),
                    slots,
                    this::bury));
        }
    }

    /** How connectors are configured: by these settings, and by the files that they name. */
    public static Jobs connectors(Settings settings) {
        return jobs(FetcherSettings.from(settings), Optional.empty(), List.of());
    }

    static JobConfig jobs(FetcherSettings settings, Optional<DataSource> database, Collection<Provider<?>> providers) {
        return new JobConfig(
                settings.environment(),
                database,
                new SecretStore(settings.secrets(), KubernetesSecrets.ofThisPod(settings.environment())),
                settings.allowedEndpoints(),
                providers.stream().collect(Collectors.toMap(Provider::name, Provider::jobFields)));
    }

    private <C extends AutoCloseable> TaskRunner<C> runner(Provider<C> provider, Retries retries) {
        return new TaskRunner<>(provider, jobs, publisher, retries, new TaskRunner.Listener() {
            @Override
            public void resolved(ScopeKey scope, boolean isSealed, long count, long millis) {
                countScope(scope, isSealed, count, millis);
            }

            @Override
            public void requested(String name, String outcome) {
                metrics.registry()
                        .counter("elder_requests_total", "provider", name, "outcome", outcome)
                        .increment();
            }
        });
    }

    /**
     * The providers on the classpath.
     *
     * @param wanted names; empty for all
     */
    public static List<Provider<?>> installed(List<String> wanted) {
        Map<String, Provider<?>> all = new HashMap<>();
        for (Provider<?> provider : ServiceLoader.load(Provider.class)) {
            all.put(provider.name(), provider);
        }
        List<String> names = wanted.isEmpty() ? all.keySet().stream().sorted().toList() : wanted;
        List<Provider<?>> found = new ArrayList<>();
        for (String name : names) {
            if (!all.containsKey(name)) {
                throw new SettingsException(List.of("FETCHER_PROVIDERS: " + name + " (expected: any of "
                        + String.join(", ", all.keySet().stream().sorted().toList()) + ")"));
            }
            found.add(all.get(name));
        }
        return found;
    }

    private void countScope(ScopeKey scope, boolean isSealed, long count, long millis) {
        String outcome = isSealed ? "sealed" : "failed";
        metrics.registry()
                .counter("elder_scopes_total", "provider", scope.provider(), "kind", scope.kind(), "outcome", outcome)
                .increment();
        metrics.registry()
                .counter("elder_records_fetched_total", "provider", scope.provider(), "kind", scope.kind())
                .increment((double) count);
        metrics.registry()
                .timer("elder_scope_duration", "provider", scope.provider(), "kind", scope.kind())
                .record(Duration.ofMillis(millis));
    }

    private void bury(ConsumerRecord<byte[], byte[]> record, SerializationException failure) {
        var letter = DeadLetter.of(
                topics.deadletter().name(),
                record.key(),
                record.value(),
                DeadLetter.headers(
                        "fetcher",
                        record.topic(),
                        record.partition(),
                        record.offset(),
                        failure.getClass().getName(),
                        failure.getMessage(),
                        Clock.systemUTC().instant()));
        try {
            deadletters.send(letter).get();
        } catch (ExecutionException e) {
            throw new KafkaException("a dead letter was not acknowledged", e);
        } catch (InterruptedException e) {
            throw new InterruptException(e);
        }
    }

    @Override
    public void start() {
        loops.forEach(FetcherLoop::start);
    }

    @Override
    public Health health() {
        List<Health> parts =
                new ArrayList<>(loops.stream().map(FetcherLoop::health).toList());
        parts.add(jobs.health());
        return Health.all(parts);
    }

    @Override
    public Map<String, Object> status() {
        return Map.of(
                "providers", List.copyOf(names),
                "running_tasks", loops.stream().mapToInt(FetcherLoop::running).sum());
    }

    @Override
    public void close() {
        // All at once: each waits for its thread.
        List<Thread> closing = loops.stream()
                .map(loop -> Thread.ofVirtual().start(loop::close))
                .toList();
        try {
            for (Thread each : closing) {
                each.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        publisher.close();
        deadletters.close(Duration.ofSeconds(5));
        database.ifPresent(HikariDataSource::close);
    }
}
