package io.elder.console;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "writeback",
        mixinStandardHelpOptions = true,
        description = "Memberships changed in Elder, at their providers. Held plans: elder held.")
final class WritebackCommands {
    private final Site site;
    private final Terminal terminal;

    WritebackCommands(Site site, Terminal terminal) {
        this.site = site;
        this.terminal = terminal;
    }

    @Command(name = "status", mixinStandardHelpOptions = true, description = "Providers, and what came of the changes.")
    int status(@Option(names = "--json") boolean json) {
        List<ObjectNode> status = writebacks().status();
        if (json) {
            terminal.json(status);
        } else {
            terminal.table(
                    status, "provider", "state", "applied", "already", "gone", "refused", "failed", "moved", "last_at");
        }
        return 0;
    }

    @Command(name = "plan", mixinStandardHelpOptions = true, description = "The latest plans, or one with its changes.")
    int plan(
            @Parameters(paramLabel = "PLAN", arity = "0..1", description = "a plan's id") String which,
            @Option(names = "--limit", defaultValue = "20", description = "how many plans are listed") int limit,
            @Option(names = "--json") boolean json) {
        List<ObjectNode> plans =
                which == null ? writebacks().plans(limit) : List.of(writebacks().plan(which));
        if (json) {
            terminal.json(plans);
            return 0;
        }
        terminal.table(plans, "plan_id", "provider", "group", "changes", "outcomes", "by", "at");
        if (which != null) {
            list(plans.getFirst());
        }
        return 0;
    }

    private void list(ObjectNode plan) {
        terminal.line("");
        List<ObjectNode> changes = new ArrayList<>();
        for (JsonNode change : plan.path("list")) {
            changes.add((ObjectNode) change);
        }
        terminal.table(changes, "operation", "group", "member", "outcome");
    }

    @Command(
            name = "undo",
            mixinStandardHelpOptions = true,
            description = "Makes the inverse of a plan, but for members that have changed since.")
    int undo(
            @Parameters(paramLabel = "PLAN") String which,
            @Option(names = "--dry-run", description = "shows what would be undone") boolean dryRun,
            @Option(names = "--by", description = "who decides; the login name if not given") String by) {
        ObjectNode plan = writebacks().plan(which);
        if (dryRun) {
            list(plan);
            return 0;
        }
        writebacks().undo(which, Site.person(by));
        terminal.line("plan " + which + ": its inverse is asked for (elder writeback plan)");
        return 0;
    }

    @Command(name = "enable", mixinStandardHelpOptions = true, description = "Ends the dry run of a provider.")
    int enable(
            @Parameters(paramLabel = "PROVIDER") String provider,
            @Option(names = "--dry-run", description = "shows how things are, and asks for nothing") boolean dryRun,
            @Option(names = "--by", description = "who decides; the login name if not given") String by) {
        if (dryRun) {
            return show(provider, "would be enabled; its held plans would still await elder held release");
        }
        writebacks().enable(provider, true, Site.person(by));
        terminal.line(provider + ": enabled from now on; what was held before awaits elder held release");
        return 0;
    }

    @Command(
            name = "disable",
            mixinStandardHelpOptions = true,
            description = "Holds all further changes of a provider.")
    int disable(
            @Parameters(paramLabel = "PROVIDER") String provider,
            @Option(names = "--dry-run", description = "shows how things are, and asks for nothing") boolean dryRun,
            @Option(names = "--by", description = "who decides; the login name if not given") String by) {
        if (dryRun) {
            return show(provider, "would be disabled; further changes would be held");
        }
        writebacks().enable(provider, false, Site.person(by));
        terminal.line(provider + ": disabled; changes are held");
        return 0;
    }

    private int show(String provider, String what) {
        terminal.line(
                provider + ": " + writebacks().status(provider).path("state").asText() + "; " + what);
        return 0;
    }

    private Writebacks writebacks() {
        return new Writebacks(site.kafka());
    }
}
