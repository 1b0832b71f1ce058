package io.elder.bench;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A vendor of our own: every account has as many resources as one likes; it takes its time, and throttles beyond a rate.
 * Pages of a small estate are made once: the time to make them would be taken from the fetcher that is measured.
 */
final class PageServer implements AutoCloseable {
    private static final int MOST_KEPT = 400_000;

    private final HttpServer server;
    private final Vendor vendor;
    private final int resources;
    private final Duration latency;
    private final double rate;
    private final Map<String, byte[]> made = new ConcurrentHashMap<>();
    private final AtomicInteger pages = new AtomicInteger();
    private final AtomicInteger throttled = new AtomicInteger();
    private final AtomicLong firstPageAt = new AtomicLong();
    private final AtomicLong lastPageAt = new AtomicLong();
    private double tokens;
    private long filledAt = System.nanoTime();

    /**
     * @param resources of each account or region
     * @param rate pages a second beyond which it throttles, with a second's worth in hand; infinite for none
     */
    PageServer(Vendor vendor, int resources, Duration latency, double rate) throws IOException {
        this.vendor = vendor;
        this.resources = resources;
        this.latency = latency;
        this.rate = rate;
        this.tokens = rate;
        this.server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", this::handle);
        server.start();
    }

    String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    int pages() {
        return pages.get();
    }

    int throttled() {
        return throttled.get();
    }

    /** The time of {@link #busy()} begins with the next page. */
    void begin() {
        firstPageAt.set(0);
    }

    /** From the first page that was given to the last. */
    Duration busy() {
        return Duration.ofNanos(lastPageAt.get() - firstPageAt.get());
    }

    private void handle(HttpExchange exchange) throws IOException {
        long begin = System.nanoTime();
        Map<String, String> parameters = new HashMap<>();
        read(exchange.getRequestURI().getRawQuery(), parameters);
        read(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8), parameters);
        Vendor.Request request = new Vendor.Request(exchange.getRequestURI().getPath(), parameters, url());
        if (!vendor.isPage(request)) {
            answer(exchange, 200, bytes(vendor.other(request)));
        } else if (!mayPass(begin)) {
            throttled.incrementAndGet();
            Vendor.Throttling throttling = vendor.throttling();
            answer(exchange, throttling.status(), bytes(throttling.body()));
        } else {
            pages.incrementAndGet();
            firstPageAt.compareAndSet(0, begin);
            lastPageAt.set(begin);
            byte[] body = resources > MOST_KEPT
                    ? page(request)
                    : made.computeIfAbsent(request.path() + new TreeMap<>(parameters), unused -> page(request));
            try {
                Thread.sleep(Duration.ofNanos(Math.max(0, latency.toNanos() - (System.nanoTime() - begin))));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            answer(exchange, 200, body);
        }
    }

    private static void read(String form, Map<String, String> parameters) {
        if (form == null || form.isEmpty()) {
            return;
        }
        for (String pair : form.split("&")) {
            int equals = pair.indexOf('=');
            if (equals > 0) {
                parameters.put(
                        URLDecoder.decode(pair.substring(0, equals), StandardCharsets.UTF_8),
                        URLDecoder.decode(pair.substring(equals + 1), StandardCharsets.UTF_8));
            }
        }
    }

    private synchronized boolean mayPass(long now) {
        if (Double.isInfinite(rate)) {
            return true;
        }
        tokens = Math.min(rate, tokens + (now - filledAt) / 1e9 * rate);
        filledAt = now;
        if (tokens < 1) {
            return false;
        }
        tokens--;
        return true;
    }

    private byte[] page(Vendor.Request request) {
        int from = Integer.parseInt(request.parameters().getOrDefault(vendor.cursor(), "0"));
        return bytes(vendor.page(request, from, Math.min(resources, from + vendor.pageSize()), resources));
    }

    private static byte[] bytes(String body) {
        return body.getBytes(StandardCharsets.UTF_8);
    }

    private static void answer(HttpExchange exchange, int status, byte[] body) throws IOException {
        boolean isXml = body.length > 0 && body[0] == '<';
        exchange.getResponseHeaders().add("Content-Type", isXml ? "text/xml" : "application/json");
        exchange.sendResponseHeaders(body.length == 0 ? 404 : status, body.length == 0 ? -1 : body.length);
        try (exchange) {
            exchange.getResponseBody().write(body);
        }
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
