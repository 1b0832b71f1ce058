package io.elder.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import io.elder.estate.Site;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.StringJoiner;

/** Stands before an API of lists and hands on what it says; as it is, or as a broken server, proxy or login page would. */
final class CrookedFront implements AutoCloseable {
    /** What becomes of answers to questions; changes are let through. */
    enum Manner {
        STRAIGHT,
        /** Half of the JSON, and nothing that says so. */
        TRUNCATED,
        /** A login page that says it is well. */
        HTML,
        /** Nothing on this page, and always another. */
        EMPTY_WITH_NEXT,
        /** Every page is followed by itself. */
        REPEATED_CURSOR,
        /** Half of the people or members, as of a lost right, and nothing that says so. */
        SHRUNK,
        /** An answer that takes longer than anybody waits. */
        LATE
    }

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final Site front = Site.start();
    private final HttpClient http = HttpClient.newHttpClient();
    private final String behind;
    private volatile Manner manner = Manner.STRAIGHT;

    CrookedFront(String behind) {
        this.behind = behind;
        front.gate(call -> Optional.of(pass(call)));
    }

    int port() {
        return front.port();
    }

    synchronized void be(Manner wanted) {
        manner = wanted;
        notifyAll();
    }

    @Override
    public void close() {
        be(Manner.STRAIGHT);
        front.close();
        http.close();
    }

    private Site.Reply pass(Site.Call call) {
        HttpResponse<String> answer;
        try {
            awaitTime();
            answer = ask(call);
        } catch (IOException e) {
            return Site.Reply.of(502);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Site.Reply.of(503);
        }
        Site.Reply straight = new Site.Reply(answer.statusCode(), Map.of(), answer.body());
        for (String name : answer.headers().map().keySet()) {
            if (name.startsWith("x-") || name.equals("link") || name.equals("content-type")) {
                straight = straight.with(name, answer.headers().firstValue(name).orElseThrow());
            }
        }
        return call.method().equals("GET") && answer.statusCode() == 200 ? bent(call, straight) : straight;
    }

    private Site.Reply bent(Site.Call call, Site.Reply straight) {
        String self = call.header("host").map(host -> "http://" + host).orElse("") + call.path();
        return switch (manner) {
            case STRAIGHT, LATE -> straight;
            case TRUNCATED ->
                new Site.Reply(
                        200,
                        straight.headers(),
                        straight.body().substring(0, straight.body().length() / 2));
            case HTML ->
                new Site.Reply(
                        200,
                        Map.of("Content-Type", "text/html"),
                        "<!doctype html><title>Sign in</title><form action=\"/login\"></form>");
            case EMPTY_WITH_NEXT ->
                straight.body().startsWith("[")
                        ? new Site.Reply(200, straight.headers(), "[]")
                                .with("Link", next(self, "p" + System.nanoTime()))
                        : straight;
            case REPEATED_CURSOR ->
                straight.body().startsWith("[") ? straight.with("Link", next(self, "same")) : straight;
            case SHRUNK -> shrunk(call, straight);
        };
    }

    private static String next(String self, String cursor) {
        return "<" + self + "?after=" + cursor + ">; rel=\"next\"";
    }

    private static Site.Reply shrunk(Site.Call call, Site.Reply straight) {
        if (!call.path().endsWith("/users")) {
            return straight;
        }
        try {
            JsonNode all = JSON.readTree(straight.body());
            ArrayNode half = JSON.createArrayNode();
            for (int i = 0; i < all.size(); i += 2) {
                half.add(all.get(i));
            }
            return new Site.Reply(200, straight.headers(), half.toString());
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("an answer of the system behind is no JSON: " + straight.body(), e);
        }
    }

    private synchronized void awaitTime() throws InterruptedException {
        while (manner == Manner.LATE) {
            wait();
        }
    }

    private HttpResponse<String> ask(Site.Call call) throws IOException, InterruptedException {
        StringJoiner query = new StringJoiner("&", "?", "").setEmptyValue("");
        // What this front made up means nothing to the system behind.
        call.parameters().forEach((name, value) -> {
            if (!name.equals("after")) {
                query.add(name + "=" + URLEncoder.encode(value, StandardCharsets.UTF_8));
            }
        });
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(behind + call.path() + query))
                .timeout(PATIENCE)
                .method(call.method(), HttpRequest.BodyPublishers.ofString(call.body()));
        call.header("authorization").ifPresent(value -> request.header("Authorization", value));
        return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }
}
