package io.elder.bench;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The roles as processes of the operating system: started, watched, killed and started again. */
public final class RoleProcesses implements AutoCloseable {
    /** The roles of a pipeline, in the order in which they are started. */
    public static final List<String> ROLES = List.of("sink", "normalizer", "fetcher", "scheduler", "cdc", "writeback");

    /** Start-up is what a campaign waits for, and it is mostly spent compiling. */
    private static final List<String> OPTIONS = List.of(
            "--enable-native-access=ALL-UNNAMED",
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xshare:auto");

    private static final String FETCHER_MAIN = "io.elder.fetch.FetcherMain";
    private static final int STOP_SECONDS = 20;

    private final Path folder;
    private final Map<String, String> environment;
    private final HttpClient http =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();
    private final Map<String, Role> roles = Collections.synchronizedMap(new LinkedHashMap<>());

    /** Else a campaign that is ended by a signal would leave them behind. */
    private final Thread endWithUs = new Thread(
            () -> List.copyOf(roles.values()).forEach(role -> role.process().destroyForcibly()), "roles-end");

    private record Role(List<String> command, Map<String, String> environment, int port, Process process) {}

    /**
     * @param folder for logs and working directories
     * @param environment of every role; nothing else of this process's own gets through but where programs are
     */
    public RoleProcesses(Path folder, Map<String, String> environment) {
        this.folder = folder;
        this.environment = Map.copyOf(environment);
        Runtime.getRuntime().addShutdownHook(endWithUs);
    }

    /** Starts a role of the built modules beside this one. */
    public void start(String role) throws IOException {
        start(role, command(role), Map.of("LOG_FORMAT", "text"));
    }

    /** The same, with settings of its own. */
    void start(String role, Map<String, String> more) throws IOException {
        Map<String, String> all = new LinkedHashMap<>(more);
        all.put("LOG_FORMAT", "text");
        start(role, command(role), all);
    }

    /** Another process of a role, under a name and with a state of its own. */
    void startAnother(String role, String name, Map<String, String> more) throws IOException {
        Map<String, String> all = new LinkedHashMap<>(more);
        all.put("LOG_FORMAT", "text");
        all.put("STATE_DIR", folder.resolve("state-" + name).toString());
        start(name, command(role), all);
    }

    /** Starts a process under this name with more settings; {@code HEALTH_CHECK_PORT} is chosen here. */
    public void start(String name, List<String> command, Map<String, String> more) throws IOException {
        int port = freePort();
        Map<String, String> all = new LinkedHashMap<>(environment);
        all.put("STATE_DIR", folder.resolve("state").toString());
        all.putAll(more);
        all.put("HEALTH_CHECK_HOST", "127.0.0.1");
        all.put("HEALTH_CHECK_PORT", Integer.toString(port));
        launch(name, command, all, port);
    }

    /** Kills with -9 and starts the same again. */
    public void killAndRestart(String name) throws IOException, InterruptedException {
        kill(name);
        restart(name);
    }

    /** Ends a role as an operator would, and starts it with these classes before its own; with its own alone if there are none. */
    void replace(String name, Optional<Path> classes) throws IOException, InterruptedException {
        Role role = roles.get(name);
        role.process().destroy();
        if (!role.process().waitFor(STOP_SECONDS, TimeUnit.SECONDS)) {
            kill(name);
        }
        List<String> command = new ArrayList<>(command(name));
        int classpath = command.indexOf("-cp") + 1;
        classes.ifPresent(folder -> command.set(classpath, folder + File.pathSeparator + command.get(classpath)));
        launch(name, command, role.environment(), role.port());
    }

    /** Kills with -9. */
    void kill(String name) throws InterruptedException {
        Process process = roles.get(name).process();
        process.destroyForcibly();
        if (!process.waitFor(10, TimeUnit.SECONDS)) {
            throw new IllegalStateException(name + ": still there 10 s after kill -9");
        }
    }

    /** Kills with -9 and forgets. */
    void end(String name) throws InterruptedException {
        kill(name);
        roles.remove(name);
    }

    /** Starts again what was killed, as it was. */
    void restart(String name) throws IOException {
        Role role = roles.get(name);
        launch(name, role.command(), role.environment(), role.port());
    }

    /** Sends a signal by its name, such as {@code STOP}. */
    void signal(String name, String signal) throws IOException, InterruptedException {
        long pid = roles.get(name).process().pid();
        int status = new ProcessBuilder("kill", "-" + signal, Long.toString(pid))
                .start()
                .waitFor();
        if (status != 0) {
            throw new IllegalStateException("kill -" + signal + " " + name + ": exit " + status + " (expected: 0)");
        }
    }

    /** Runs a command to its end. */
    public int run(String name, List<String> command, Map<String, String> more)
            throws IOException, InterruptedException {
        Map<String, String> all = new LinkedHashMap<>(environment);
        all.putAll(more);
        return launch(name, command, all).waitFor();
    }

    /** The names of all processes. */
    Set<String> names() {
        return Set.copyOf(roles.keySet());
    }

    public boolean isHealthy(String name) {
        return get(name, "/healthz")
                .filter(answer -> answer.statusCode() == 200)
                .isPresent();
    }

    /** What an operator sees of a role; empty if it does not answer. */
    public Optional<String> page(String name, String path) {
        return get(name, path).map(HttpResponse::body);
    }

    /** Waits until every role is healthy. */
    public void awaitHealthy(Duration atMost) throws InterruptedException {
        Instant end = Instant.now().plus(atMost);
        List<String> waiting = new ArrayList<>(roles.keySet());
        while (true) {
            waiting.removeIf(this::isHealthy);
            if (waiting.isEmpty()) {
                return;
            }
            boolean hasEnded =
                    waiting.stream().anyMatch(name -> !roles.get(name).process().isAlive());
            if (hasEnded || Instant.now().isAfter(end)) {
                StringBuilder why = new StringBuilder();
                waiting.forEach(name -> why.append("; ")
                        .append(name)
                        .append(": ")
                        .append(page(name, "/healthz").orElse("no answer"))
                        .append(", see ")
                        .append(log(name)));
                throw new IllegalStateException(
                        (hasEnded ? "ended by itself" : "not healthy after " + atMost.toSeconds() + " s") + why);
            }
            Thread.sleep(100);
        }
    }

    /** The most physical memory that a role has held so far, as Linux counts it. */
    long peakMiB(String name) throws IOException {
        Path status = Path.of("/proc", Long.toString(roles.get(name).process().pid()), "status");
        for (String line : Files.readAllLines(status)) {
            if (line.startsWith("VmHWM:")) {
                return Long.parseLong(line.replaceAll("\\D", "")) / 1024;
            }
        }
        throw new IllegalStateException(status + ": no VmHWM (expected: Linux)");
    }

    /** How long processors have worked for a role so far. */
    double processorSeconds(String name) {
        Duration used = roles.get(name).process().info().totalCpuDuration().orElseThrow();
        return used.toNanos() / 1e9;
    }

    public Path log(String name) {
        return folder.resolve(name + ".log");
    }

    @Override
    public void close() {
        List<Role> running = List.copyOf(roles.values());
        running.forEach(role -> role.process().destroy());
        for (Role role : running) {
            try {
                if (!role.process().waitFor(15, TimeUnit.SECONDS)) {
                    role.process().destroyForcibly();
                }
            } catch (InterruptedException e) {
                role.process().destroyForcibly();
                Thread.currentThread().interrupt();
            }
        }
        roles.clear();
        http.close();
    }

    private Optional<HttpResponse<String>> get(String name, String path) {
        Role role = roles.get(name);
        try {
            return Optional.of(http.send(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + role.port() + path))
                            .timeout(Duration.ofSeconds(3))
                            .build(),
                    HttpResponse.BodyHandlers.ofString()));
        } catch (IOException e) {
            return Optional.empty();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }

    private void launch(String name, List<String> command, Map<String, String> all, int port) throws IOException {
        roles.put(name, new Role(command, all, port, launch(name, command, all)));
    }

    private Process launch(String name, List<String> command, Map<String, String> all) throws IOException {
        Files.createDirectories(folder);
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log(name).toFile()));
        // This process's own settings would be the role's, too.
        builder.environment().keySet().retainAll(Set.of("PATH", "HOME", "LANG", "TMPDIR"));
        builder.environment().putAll(all);
        return builder.start();
    }

    /** As ./elder runs it, without its look at whether something is to be built. */
    static List<String> command(String role) throws IOException {
        String[] moduleAndMain =
                switch (role) {
                    case "cdc" -> new String[] {"cdc", "io.elder.cdc.CdcMain", "-Xmx512m"};
                    case "scheduler" ->
                        new String[] {"fetchers/scheduler", "io.elder.scheduler.SchedulerMain", "-Xmx256m"};
                    case "fetcher" -> new String[] {"fetchers/ldap,fetchers/okta", FETCHER_MAIN, "-Xmx512m"};
                    case "normalizer" -> new String[] {"normalizer", "io.elder.normalizer.NormalizerMain", "-Xmx512m"};
                    case "writeback" -> new String[] {"writeback", "io.elder.writeback.WritebackMain", "-Xmx512m"};
                    case "sink" -> new String[] {"sink", "io.elder.sink.SinkMain", "-Xmx512m"};
                    default ->
                        throw new IllegalArgumentException(
                                "role: " + role + " (expected: " + String.join(", ", ROLES) + ")");
                };
        return command(moduleAndMain[0], moduleAndMain[1], moduleAndMain[2]);
    }

    /** A fetcher of other providers: their modules, separated by commas. */
    static List<String> fetcher(String modules) throws IOException {
        return command(modules, FETCHER_MAIN, "-Xmx512m");
    }

    private static List<String> command(String modules, String main, String memory) throws IOException {
        List<String> options = new ArrayList<>(OPTIONS);
        options.add(memory);
        return command(modules, main, options);
    }

    /** A main class with the classpath of built modules, separated by commas. */
    static List<String> command(String modules, String main, List<String> options) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.add("-cp");
        command.add(classpath(List.of(modules.split(","))));
        command.add(main);
        return command;
    }

    private static String classpath(List<String> modules) throws IOException {
        Set<String> classpath = new LinkedHashSet<>();
        for (String module : modules) {
            Path target = home().resolve(module).resolve("target");
            Path dependencies = target.resolve("dependencies");
            if (!Files.exists(dependencies)) {
                throw new IllegalStateException(module + " is not built (expected: " + dependencies + ")");
            }
            try (Stream<Path> jars = Files.list(target)) {
                jars.map(Path::toString)
                        .filter(jar -> jar.endsWith("-SNAPSHOT.jar"))
                        .forEach(classpath::add);
            }
            classpath.addAll(List.of(Files.readString(dependencies).strip().split(File.pathSeparator)));
        }
        return String.join(File.pathSeparator, classpath);
    }

    /** The folder that holds ./elder. */
    static Path home() {
        Path at = Path.of("").toAbsolutePath();
        while (at != null && !Files.isExecutable(at.resolve("elder"))) {
            at = at.getParent();
        }
        if (at == null) {
            throw new IllegalStateException(
                    "working directory: " + Path.of("").toAbsolutePath() + " (expected: below the folder of ./elder)");
        }
        return at;
    }

    static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
