package io.elder.embedded;

import io.elder.estate.Estate;
import io.elder.fetch.Fetcher;
import io.elder.fetch.Provider;
import io.elder.schemas.Topics;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/** The simulated estate before the eyes of whoever started it: what is in it, what happens there, what the inventory makes of it. */
final class Demo implements AutoCloseable {
    /** One of people, one of workloads, and the one whose machines are lost: two cores can't read all of it all the time. */
    private static final Set<String> READ_OFTEN = Set.of("kubernetes", "ldap", "vcenter");

    private final Instant begin;
    private final Consumer<String> out;
    private final Estate estate = new Estate();
    private final Map<String, String> titles = new HashMap<>();
    private final Set<String> connectors = new HashSet<>();
    private final Set<String> seen = new HashSet<>();
    private final Set<String> told = new HashSet<>();
    private final Set<String> held = new HashSet<>();
    private boolean hasExplained;

    Demo(Instant begin, Consumer<String> out) {
        this.begin = begin;
        this.out = out;
        for (Provider<?> provider : Fetcher.installed(List.of())) {
            titles.put(provider.name(), provider.title());
            if (estate.settings().containsKey(prefix(provider.name()) + "ENABLED")) {
                connectors.add(provider.name());
            }
        }
    }

    /**
     * The settings of a demo: what the environment says of real systems is left out, but how often they are read.
     *
     * @param isOnce whether everything is read once and not again
     */
    Map<String, String> over(Map<String, String> environment, boolean isOnce) {
        Map<String, String> settings = new LinkedHashMap<>(environment);
        for (String provider : Topics.PROVIDERS) {
            settings.keySet().removeIf(name -> name.startsWith(prefix(provider)) && !name.endsWith("_SYNC_INTERVAL"));
        }
        settings.keySet().removeIf(name -> name.startsWith("K8S_") || name.equals("KUBECONFIG"));
        settings.putAll(estate.settings());
        if (!isOnce) {
            connectors.forEach(name ->
                    settings.putIfAbsent(prefix(name) + "SYNC_INTERVAL", READ_OFTEN.contains(name) ? "5s" : "15s"));
        }
        settings.putIfAbsent("DISCOVERY_MAX_CONCURRENT", "12");
        // Places of two dozen machines need a smaller budget than real ones.
        settings.putIfAbsent("DELETE_BUDGET_MIN", "10");
        return settings;
    }

    Estate estate() {
        return estate;
    }

    int systems() {
        return connectors.size();
    }

    void introduce() {
        out.accept("");
        say("A company that does not exist: this process plays its " + systems() + " systems, and reads them");
        out.accept("");
        out.accept("        " + Inventory.HEADINGS);
    }

    /** Tells what has become visible since the last time, and lets something happen; true once every system was seen. */
    boolean show(Inventory inventory, boolean isOnce) throws SQLException {
        boolean hadSeenAll = seen.size() == systems();
        for (Inventory.Run run : inventory.visibleRuns(begin)) {
            if (told.add(run.id())) {
                tell(inventory, run);
            }
        }
        boolean hasSeenAll = seen.size() == systems();
        if (hasSeenAll && !hadSeenAll) {
            out.accept("        " + inventory.total());
            out.accept("");
            if (!isOnce) {
                say("All are in the inventory. From now on something happens every few seconds:");
                out.accept("");
                estate.begin(Instant.now());
            }
        }
        if (!isOnce) {
            estate.next(Instant.now()).ifPresent(this::say);
        }
        return hasSeenAll;
    }

    private void tell(Inventory inventory, Inventory.Run run) throws SQLException {
        String title = titles.getOrDefault(run.provider(), run.provider());
        if (seen.add(run.provider())) {
            out.accept("        " + inventory.rowsOf(run.provider(), title));
            if (!run.status().equals("completed")) {
                out.accept("        " + run.status() + ": " + run.error());
            }
            return;
        }
        List<String> done = new ArrayList<>();
        add(done, run.created(), "created");
        add(done, run.updated(), "updated");
        add(done, run.deleted(), "deleted");
        if (!done.isEmpty()) {
            out.accept("            " + title + ": " + String.join(", ", done));
        }
        Map<String, String> plans = inventory.held(run.id());
        plans.forEach((scope, reason) -> {
            if (held.add(scope)) {
                say("HELD, nothing deleted: " + scope);
                out.accept("        " + reason);
            }
        });
        if (plans.isEmpty()) {
            held.removeIf(scope -> scope.startsWith(run.provider() + "/"));
            if (!run.status().equals("completed")) {
                out.accept("            " + title + ": " + run.status() + ": " + run.error());
            }
        } else if (!hasExplained) {
            hasExplained = true;
            out.accept("");
            out.accept("        Did they really go, or was it a mistake? You decide, from another terminal:");
            out.accept("          ./elder held list            what waits");
            out.accept("          ./elder held show PLAN       every resource that it would delete");
            out.accept("          ./elder held release PLAN    they are gone: delete their rows");
            out.accept("          ./elder held reject PLAN     it was a mistake: keep the rows");
            out.accept("");
        }
    }

    private static void add(List<String> done, long count, String what) {
        if (count > 0) {
            done.add(count + " " + what);
        }
    }

    private void say(String text) {
        Duration since = Duration.between(begin, Instant.now());
        out.accept(String.format(Locale.ROOT, "%2d:%02d   %s", since.toMinutes(), since.toSecondsPart(), text));
    }

    private static String prefix(String provider) {
        return provider.toUpperCase(Locale.ROOT) + "_";
    }

    @Override
    public void close() {
        estate.close();
    }
}
