package io.elder.fetch;

import io.elder.runtime.Settings;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The open clients of one provider. A client that can be shared serves every task of its run that has the same settings,
 * and is closed when none has used it for a while; any other serves one task.
 */
final class Clients<C extends AutoCloseable> implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Clients.class);
    private static final Duration IDLE = Duration.ofSeconds(30);

    private final Provider<C> provider;
    private final Map<Key, Lease<C>> shared = new HashMap<>();

    Clients(Provider<C> provider) {
        this.provider = provider;
    }

    /** Settings may change within a run, by a rotated password: then a new client serves from there on. */
    private record Key(String run, Map<String, String> settings) {
        @Override
        public String toString() {
            return run;
        }
    }

    /** One client, and how many tasks use it. */
    static final class Lease<C extends AutoCloseable> {
        private final ReentrantLock opening = new ReentrantLock();
        private final Key key;
        private C client;
        private int users;
        private boolean isSpent;
        private boolean closesLater;

        private Lease(Key key) {
            this.key = key;
        }

        C client() {
            return client;
        }
    }

    Lease<C> open(String run, Settings settings) throws Exception {
        Lease<C> lease = taken(new Key(run, settings.values()));
        boolean isOpen = false;
        // Not under the lock of all: one system that is slow to answer holds up only its own tasks.
        lease.opening.lockInterruptibly();
        try {
            if (lease.client == null) {
                lease.client = provider.connect(settings);
            }
            isOpen = true;
            return lease;
        } finally {
            lease.opening.unlock();
            if (!isOpen) {
                release(lease, true);
            }
        }
    }

    private synchronized Lease<C> taken(Key key) {
        Lease<C> lease = provider.isShareable() ? shared.computeIfAbsent(key, Lease::new) : new Lease<>(key);
        lease.users++;
        return lease;
    }

    /** @param isSpent whether it is of no use to anybody any more */
    void release(Lease<C> lease, boolean isSpent) {
        boolean closes;
        synchronized (this) {
            lease.users--;
            lease.isSpent |= isSpent || !provider.isShareable();
            if (lease.isSpent) {
                shared.remove(lease.key, lease);
            }
            closes = lease.isSpent && lease.users == 0;
            if (lease.users == 0 && !lease.isSpent && !lease.closesLater) {
                lease.closesLater = true;
                closeLater(lease);
            }
        }
        if (closes) {
            close(lease);
        }
    }

    @SuppressWarnings("FutureReturnValueIgnored") // nothing in it can fail
    private void closeLater(Lease<C> lease) {
        CompletableFuture.runAsync(
                () -> closeIfIdle(lease),
                CompletableFuture.delayedExecutor(IDLE.toMillis(), java.util.concurrent.TimeUnit.MILLISECONDS));
    }

    private void closeIfIdle(Lease<C> lease) {
        synchronized (this) {
            lease.closesLater = false;
            if (lease.users > 0 || lease.isSpent) {
                return;
            }
            lease.isSpent = true;
            shared.remove(lease.key, lease);
        }
        close(lease);
    }

    /** Closes what no task uses; the rest is closed by its last user. */
    @Override
    public void close() {
        Map<Key, Lease<C>> all;
        synchronized (this) {
            all = Map.copyOf(shared);
            shared.clear();
            all.values().forEach(lease -> lease.isSpent = true);
        }
        all.values().stream().filter(lease -> lease.users == 0).forEach(Clients::close);
    }

    private static <C extends AutoCloseable> void close(Lease<C> lease) {
        if (lease.client == null) {
            return;
        }
        try {
            lease.client.close();
        } catch (Exception e) {
            LOG.debug("closing a connection that is not needed any more", e);
        }
    }
}
