package io.elder.fetch.testkit;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.BiFunction;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/** A vendor's API over real HTTP on loopback: answers by route, from fixtures, until a test breaks them. */
public final class ScriptedServer implements AutoCloseable {
    /** Of routes to what is no page. */
    static final String NO_KIND = "";

    private static final String LOGIN = "login";

    private final HttpServer http;
    private final String url;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final Class<?> fixtures;
    private final List<Route> routes = new CopyOnWriteArrayList<>();
    private final List<Fault> faults = new CopyOnWriteArrayList<>();
    private final List<Asked> asked = new CopyOnWriteArrayList<>();
    private final List<Asked> unexpected = new CopyOnWriteArrayList<>();

    private record Route(String kind, Predicate<Asked> matches, int weight, Answer answer) {}

    /** What breaks some answers: the first so many are spared, the next so many are not. */
    private static final class Fault {
        private final Predicate<Route> where;
        private final BiFunction<Asked, Answer, Answer> how;
        private int spared;
        private int times;

        Fault(Predicate<Route> where, BiFunction<Asked, Answer, Answer> how, int spared, int times) {
            this.where = where;
            this.how = how;
            this.spared = spared;
            this.times = times;
        }

        synchronized boolean strikes(Route route) {
            if (times == 0 || !where.test(route)) {
                return false;
            }
            if (spared > 0) {
                spared--;
                return false;
            }
            times -= times > 0 ? 1 : 0;
            return true;
        }
    }

    private ScriptedServer(HttpServer http, String origin, Class<?> fixtures) {
        this.http = http;
        this.url = origin + ":" + http.getAddress().getPort();
        this.fixtures = fixtures;
        http.createContext("/", this::handle);
        http.setExecutor(threads);
        http.start();
    }

    /** @param fixtures the class beside which fixtures lie */
    public static ScriptedServer start(Class<?> fixtures) throws IOException {
        return new ScriptedServer(HttpServer.create(anyPort(), 0), "http://127.0.0.1", fixtures);
    }

    /** Like {@link #start(Class)}, with HTTPS. */
    public static ScriptedServer start(Class<?> fixtures, LocalTls tls) throws IOException {
        HttpsServer https = HttpsServer.create(anyPort(), 0);
        https.setHttpsConfigurator(new HttpsConfigurator(tls.context()));
        return new ScriptedServer(https, "https://localhost", fixtures);
    }

    private static InetSocketAddress anyPort() {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    }

    public String url() {
        return url;
    }

    /**
     * A request that is no page of a kind, such as a login.
     *
     * @param request method, path and parameters that must be there: {@code GET /v1/whoami?detail=yes}. Of several routes
     *     that match, the one with the most parameters serves; a parameter without a value must be absent:
     *     {@code GET /v1/sheep?cursor}
     * @param fixture a file beside the test, answered with 200
     */
    public void on(String request, String fixture) {
        on(request, ok(fixture));
    }

    public void on(String request, Answer answer) {
        page(NO_KIND, request, answer);
    }

    /** A request for a token or a session, of which a service that refuses everything else knows nothing. */
    public void login(String request, String fixture) {
        page(LOGIN, request, fixture);
    }

    /** Whatever else a request is to be told by; it serves before all routes that name a path, also earlier ones. */
    public void on(Predicate<Asked> matches, Answer answer) {
        page(NO_KIND, matches, 1000, answer);
    }

    /** A page of a kind. */
    public void page(String kind, String request, String fixture) {
        page(kind, request, ok(fixture));
    }

    public void page(String kind, String request, Answer answer) {
        int question = request.indexOf('?');
        String[] line = (question < 0 ? request : request.substring(0, question)).split(" ");
        Map<String, String> wanted = new HashMap<>();
        List<String> absent = new ArrayList<>();
        if (question >= 0) {
            for (String pair : request.substring(question + 1).split("&")) {
                int equals = pair.indexOf('=');
                if (equals < 0) {
                    absent.add(pair);
                } else {
                    wanted.put(pair.substring(0, equals), pair.substring(equals + 1));
                }
            }
        }
        page(
                kind,
                each -> each.method().equals(line[0])
                        && each.path().equals(line[1])
                        && each.parameters().entrySet().containsAll(wanted.entrySet())
                        && absent.stream().noneMatch(each.parameters()::containsKey),
                wanted.size() + absent.size(),
                answer);
    }

    /** A page of a kind, told by anything else, such as a header that names the operation or the region. */
    public void page(String kind, Predicate<Asked> matches, String fixture) {
        page(kind, matches, 1000, ok(fixture));
    }

    private void page(String kind, Predicate<Asked> matches, int weight, Answer answer) {
        routes.add(new Route(kind, matches, weight, answer));
    }

    /** A fixture with status 200, as XML if it is called so. */
    public Answer ok(String fixture) {
        return Answer.of(200, text(fixture))
                .header("Content-Type", fixture.endsWith(".xml") ? "text/xml" : "application/json");
    }

    /** What a fixture says. */
    public String text(String fixture) {
        try (InputStream file = fixtures.getResourceAsStream(fixture)) {
            if (file == null) {
                throw new AssertionError(fixture + ": no such fixture beside " + fixtures.getName());
            }
            return new String(file.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new AssertionError(fixture, e);
        }
    }

    /** Every request so far. */
    public List<Asked> asked() {
        return List.copyOf(asked);
    }

    /** Requests that no route was for; they were answered with 404. */
    public List<Asked> unexpected() {
        return List.copyOf(unexpected);
    }

    /** How often the first page of a kind was asked for. */
    int firstPages(String kind) {
        Route first = pages(kind).getFirst();
        return (int) asked.stream()
                .filter(each -> route(each).filter(first::equals).isPresent())
                .count();
    }

    int pageCount(String kind) {
        return pages(kind).size();
    }

    Answer firstPage(String kind) {
        return pages(kind).getFirst().answer();
    }

    private List<Route> pages(String kind) {
        return routes.stream().filter(route -> route.kind().equals(kind)).toList();
    }

    /** Breaks answers to requests for pages of a kind: not the first so many, then so many, or all if negative. */
    void breakPages(String kind, int spared, int times, UnaryOperator<Answer> how) {
        faults.add(new Fault(route -> route.kind().equals(kind), (asked, answer) -> how.apply(answer), spared, times));
    }

    /** Answers everything alike. */
    void breakAll(UnaryOperator<Answer> how) {
        answerAll((asked, answer) -> how.apply(answer));
    }

    /** Answers everything alike that comes after a login. */
    void breakService(UnaryOperator<Answer> how) {
        answerService((asked, answer) -> how.apply(answer));
    }

    /** Answers by what is asked, and by what it would have answered. */
    void answerAll(BiFunction<Asked, Answer, Answer> how) {
        faults.add(new Fault(route -> true, how, 0, -1));
    }

    /** The same, for all that comes after a login. */
    void answerService(BiFunction<Asked, Answer, Answer> how) {
        faults.add(new Fault(route -> !route.kind().equals(LOGIN), how, 0, -1));
    }

    /** The same, for pages of a kind. */
    void answerPages(String kind, BiFunction<Asked, Answer, Answer> how) {
        faults.add(new Fault(route -> route.kind().equals(kind), how, 0, -1));
    }

    void heal() {
        faults.clear();
    }

    private Optional<Route> route(Asked request) {
        Optional<Route> best = Optional.empty();
        for (Route route : routes) {
            if (route.matches().test(request) && best.stream().noneMatch(other -> other.weight() >= route.weight())) {
                best = Optional.of(route);
            }
        }
        return best;
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            Map<String, String> headers = new HashMap<>();
            exchange.getRequestHeaders()
                    .forEach((name, values) -> headers.put(name.toLowerCase(Locale.ROOT), values.getFirst()));
            Asked request = Asked.of(
                    exchange.getRequestMethod(),
                    URI.create(exchange.getRequestURI().toString()),
                    headers,
                    new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
            asked.add(request);
            send(exchange, answer(request));
        }
    }

    private Answer answer(Asked request) {
        Route route = route(request).orElseGet(() -> {
            unexpected.add(request);
            Answer answer =
                    Answer.of(404, "{\"detail\": \"no such route\"}").header("Content-Type", "application/json");
            return new Route(NO_KIND, unused -> true, 0, answer);
        });
        for (Fault fault : faults) {
            if (fault.strikes(route)) {
                return fault.how.apply(request, route.answer());
            }
        }
        return route.answer();
    }

    private void send(HttpExchange exchange, Answer answer) throws IOException {
        answer.headers().forEach((name, value) -> exchange.getResponseHeaders().set(name, value.replace("{url}", url)));
        byte[] body = answer.body().replace("{url}", url).getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(answer.status(), body.length == 0 ? -1 : body.length);
        if (body.length > 0) {
            OutputStream out = exchange.getResponseBody();
            if (answer.isCut()) {
                out.write(body, 0, body.length / 2);
                out.flush();
                return;
            }
            out.write(body);
            out.close();
        }
    }

    @Override
    public void close() {
        http.stop(0);
        threads.shutdownNow();
    }
}
