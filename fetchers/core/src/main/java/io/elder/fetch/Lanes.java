package io.elder.fetch;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.slf4j.MDC;

/** Threads that do the same with one thing each, until all are done or one has failed. */
final class Lanes<T> implements AutoCloseable {
    private static final int LOOK_MILLIS = 50;

    private final BlockingQueue<Optional<T>> waiting;
    private final List<Thread> threads = new ArrayList<>();
    private final AtomicReference<Exception> failure = new AtomicReference<>();
    private final AtomicInteger finished = new AtomicInteger();

    /** What one thread does; made and closed in that thread. */
    interface Lane<T> extends AutoCloseable {
        void take(T each) throws StoppedException, InterruptedException;

        @Override
        void close();
    }

    Lanes(int number, Supplier<Lane<T>> lanes) {
        waiting = new ArrayBlockingQueue<>(number);
        Map<String, String> context = MDC.getCopyOfContextMap();
        for (int i = 0; i < number; i++) {
            threads.add(Thread.ofVirtual().start(() -> {
                if (context != null) {
                    MDC.setContextMap(context);
                }
                run(lanes);
            }));
        }
    }

    private void run(Supplier<Lane<T>> lanes) {
        try (Lane<T> lane = lanes.get()) {
            for (Optional<T> each = waiting.take(); each.isPresent(); each = waiting.take()) {
                lane.take(each.get());
            }
            finished.incrementAndGet();
        } catch (StoppedException | InterruptedException | RuntimeException e) {
            failure.compareAndSet(null, e);
        } catch (Error e) {
            // Whoever gives would wait for ever for a thread that is free.
            failure.compareAndSet(null, new IllegalStateException("a lane has ended", e));
        }
    }

    /** Waits for a thread that is free. Throws what any of them has failed with. */
    void give(T each) throws StoppedException, InterruptedException {
        put(Optional.of(each));
    }

    /** Waits until all is done. */
    void finish() throws StoppedException, InterruptedException {
        for (int i = 0; i < threads.size(); i++) {
            put(Optional.empty());
        }
        for (Thread thread : threads) {
            while (!thread.join(Duration.ofMillis(LOOK_MILLIS))) {
                throwFailure();
            }
        }
        throwFailure();
        if (finished.get() < threads.size()) {
            // Without a word, as where there is no memory for one; what it was about is not done.
            throw new IllegalStateException("a lane has died");
        }
    }

    private void put(Optional<T> each) throws StoppedException, InterruptedException {
        throwFailure();
        while (!waiting.offer(each, LOOK_MILLIS, TimeUnit.MILLISECONDS)) {
            throwFailure();
        }
    }

    private void throwFailure() throws StoppedException, InterruptedException {
        switch (failure.get()) {
            case null -> {}
            case StoppedException e -> throw e;
            case InterruptedException e -> throw e;
            case RuntimeException e -> throw e;
            case Exception e -> throw new IllegalStateException(e);
        }
    }

    /** Ends what is still under way, and waits for that. */
    @Override
    public void close() {
        boolean wasInterrupted = false;
        for (Thread thread : threads) {
            thread.interrupt();
        }
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException unused) {
                    wasInterrupted = true;
                }
            }
        }
        if (wasInterrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
