package io.elder.bench;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A Kubernetes API server of our own: it has as many pods as one likes, takes its time, and throttles beyond a rate. */
final class PodServer implements AutoCloseable {
    private static final Pattern LIMIT = Pattern.compile("limit=(\\d+)");
    private static final Pattern CONTINUE = Pattern.compile("continue=(\\d+)");

    private final HttpServer server;
    private final String name;
    private final int pods;
    private final Duration latency;
    private final double rate;
    private final AtomicInteger pages = new AtomicInteger();
    private final AtomicInteger throttled = new AtomicInteger();
    private final AtomicLong firstPageAt = new AtomicLong();
    private final AtomicLong lastPageAt = new AtomicLong();
    private double tokens;
    private long filledAt = System.nanoTime();

    /**
     * @param rate pages a second beyond which it answers 429, with a second's worth in hand; infinite for none
     */
    PodServer(String name, int pods, Duration latency, double rate) throws IOException {
        this.name = name;
        this.pods = pods;
        this.latency = latency;
        this.rate = rate;
        this.tokens = rate;
        this.server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/version", exchange -> answer(exchange, 200, "{\"gitVersion\":\"v1.33.0\"}"));
        server.createContext("/api/v1/pods", this::page);
        server.createContext("/", exchange -> answer(exchange, 404, "{\"kind\":\"Status\",\"code\":404}"));
        server.start();
    }

    String name() {
        return name;
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

    /** From the first page that was given to the last. */
    Duration busy() {
        return Duration.ofNanos(lastPageAt.get() - firstPageAt.get());
    }

    private void page(HttpExchange exchange) throws IOException {
        long begin = System.nanoTime();
        if (!mayPass(begin)) {
            throttled.incrementAndGet();
            answer(exchange, 429, "{\"kind\":\"Status\",\"code\":429,\"reason\":\"TooManyRequests\"}");
            return;
        }
        pages.incrementAndGet();
        firstPageAt.compareAndSet(0, begin);
        lastPageAt.set(begin);
        String query = String.valueOf(exchange.getRequestURI().getRawQuery());
        int limit = number(LIMIT, query, pods);
        int from = number(CONTINUE, query, 0);
        String body = list(from, Math.min(pods, from + limit));
        try {
            Thread.sleep(Duration.ofNanos(Math.max(0, latency.toNanos() - (System.nanoTime() - begin))));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        answer(exchange, 200, body);
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

    private String list(int from, int to) {
        StringBuilder json = new StringBuilder((to - from) * 900 + 200);
        json.append("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"1\"");
        if (to < pods) {
            json.append(",\"continue\":\"").append(to).append('"');
        }
        json.append("},\"items\":[");
        for (int i = from; i < to; i++) {
            if (i > from) {
                json.append(',');
            }
            pod(json, i);
        }
        return json.append("]}").toString();
    }

    private void pod(StringBuilder json, int i) {
        json.append("{\"metadata\":{\"name\":\"web-")
                .append(i)
                .append("\",\"namespace\":\"shop-")
                .append(i % 50)
                .append("\",\"uid\":\"")
                .append(name)
                .append('-')
                .append(i)
                .append(
                        "\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"labels\":{\"app\":\"web\",\"tier\":\"front\"},")
                .append(
                        "\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":\"web-5d8f\",\"uid\":\"r")
                .append(i % 1000)
                .append("\",\"controller\":true}]},\"spec\":{\"nodeName\":\"node-")
                .append(i % 100)
                .append(
                        "\",\"serviceAccountName\":\"default\",\"containers\":[{\"name\":\"web\",\"image\":\"registry.example.com/shop/web:1.4.")
                .append(i % 7)
                .append(
                        "\",\"ports\":[{\"containerPort\":8080,\"protocol\":\"TCP\"}],\"resources\":{\"requests\":{\"cpu\":\"250m\",")
                .append(
                        "\"memory\":\"256Mi\"},\"limits\":{\"memory\":\"512Mi\"}}}]},\"status\":{\"phase\":\"Running\",\"podIP\":\"10.")
                .append((i >> 16) & 255)
                .append('.')
                .append((i >> 8) & 255)
                .append('.')
                .append(i & 255)
                .append(
                        "\",\"startTime\":\"2026-01-01T00:00:05Z\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}");
    }

    private static int number(Pattern pattern, String query, int otherwise) {
        Matcher matcher = pattern.matcher(query);
        return matcher.find() ? Integer.parseInt(matcher.group(1)) : otherwise;
    }

    private static void answer(HttpExchange exchange, int status, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().add("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, bytes.length);
        try (exchange) {
            exchange.getResponseBody().write(bytes);
        }
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
