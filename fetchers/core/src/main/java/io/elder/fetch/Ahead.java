package io.elder.fetch;

import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.slf4j.MDC;

/** An answer that is asked for before it is needed, on a thread of its own. Closed before it came, it is given up. */
public final class Ahead<T> implements AutoCloseable {
    private final FutureTask<T> asking;

    private Ahead(FutureTask<T> asking) {
        this.asking = asking;
    }

    public static <T> Ahead<T> of(Callable<T> request) {
        Map<String, String> context = MDC.getCopyOfContextMap();
        FutureTask<T> asking = new FutureTask<>(() -> {
            if (context != null) {
                MDC.setContextMap(context);
            }
            return request.call();
        });
        Thread.ofVirtual().name("ahead").start(asking);
        return new Ahead<>(asking);
    }

    /** Throws what the request threw. */
    public T await() throws Exception {
        try {
            return asking.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Exception failure) {
                throw failure;
            }
            throw e;
        }
    }

    @Override
    public void close() {
        asking.cancel(true);
    }
}
