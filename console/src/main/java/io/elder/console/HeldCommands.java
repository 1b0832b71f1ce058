package io.elder.console;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "held",
        mixinStandardHelpOptions = true,
        description = "Deletions and write-backs above their budget, awaiting a person.")
final class HeldCommands {
    private static final String[] COLUMNS = {
        "plan_id", "scope", "state", "deletions", "live", "budget", "reason", "held_at", "expires_at"
    };

    private final Site site;
    private final Terminal terminal;

    HeldCommands(Site site, Terminal terminal) {
        this.site = site;
        this.terminal = terminal;
    }

    @Command(name = "list", mixinStandardHelpOptions = true, description = "Plans that await a decision.")
    int list(
            @Option(names = "--all", description = "decided and expired ones too") boolean all,
            @Option(names = "--json") boolean json) {
        List<ObjectNode> plans = plans().list(all);
        if (json) {
            terminal.json(plans);
        } else {
            terminal.table(plans, COLUMNS);
        }
        return 0;
    }

    @Command(
            name = "show",
            mixinStandardHelpOptions = true,
            description = "A plan, and every resource that it would delete.")
    int show(
            @Parameters(paramLabel = "PLAN", description = "a plan's id, or its scope") String which,
            @Option(names = "--json") boolean json) {
        show(plans().find(which), json);
        return 0;
    }

    private void show(HeldPlans.Plan plan, boolean json) {
        List<String> keys = plan.keys();
        if (json) {
            terminal.json(plan.listed());
        } else {
            terminal.table(List.of(plan.shown()), COLUMNS);
            terminal.line("");
            keys.forEach(terminal::line);
        }
        if (keys.size() < plan.summary().getDeletions() && plan.isWaiting()) {
            terminal.say(keys.size() + " resources are listed so far, of "
                    + plan.summary().getDeletions());
        }
    }

    @Command(
            name = "release",
            mixinStandardHelpOptions = true,
            description = "Lets the deletions of a plan happen, exactly those shown.")
    int release(
            @Parameters(paramLabel = "PLAN") String which,
            @Option(names = "--dry-run", description = "shows what would happen") boolean dryRun,
            @Option(names = "--by", description = "who decides, for the record; the login name if not given")
                    String by) {
        return decide(which, "release", dryRun, by);
    }

    @Command(name = "reject", mixinStandardHelpOptions = true, description = "Keeps the rows of a plan.")
    int reject(
            @Parameters(paramLabel = "PLAN") String which,
            @Option(names = "--dry-run", description = "shows what would be kept") boolean dryRun,
            @Option(names = "--by", description = "who decides, for the record; the login name if not given")
                    String by) {
        return decide(which, "reject", dryRun, by);
    }

    @Command(
            name = "retire",
            mixinStandardHelpOptions = true,
            description = {
                "Holds a plan that deletes all of a scope that nobody reads any more.",
                "Nothing is deleted before the plan is released; the next run that reads the scope ends it."
            })
    int retire(
            @Parameters(
                            paramLabel = "SCOPE",
                            description =
                                    "e.g. aws/123456789012/eu-west-1/ec2_instance, or okta/acme.okta.com/-/okta_user")
                    String scope,
            @Option(names = "--by", description = "who asks, for the record; the login name if not given") String by) {
        Optional<String> plan = plans().retire(scope, Site.person(by));
        if (plan.isEmpty()) {
            terminal.say(
                    "elder: no normalizer has made a plan for " + scope + " yet, or a run that reads it has ended it"
                            + " (elder held list --all). If it never was a scope, it is told in elder deadletter list");
            return 1;
        }
        terminal.line("plan " + plan.get() + " lists all of " + scope + ": see elder held show " + plan.get()
                + ", then elder held release or reject it");
        return 0;
    }

    private int decide(String which, String action, boolean dryRun, String by) {
        HeldPlans plans = plans();
        HeldPlans.Plan plan = plans.undecided(which);
        if (dryRun) {
            show(plan, false);
            return 0;
        }
        plans.decide(plan, action, Site.person(by));
        if (plans.awaitDecided(plan, action)) {
            terminal.line("plan " + plan.id() + " " + HeldPlans.after(action));
        } else {
            terminal.line("plan " + plan.id() + ": " + action + " sent; no "
                    + (plan.isWriteback() ? "write-back" : "normalizer") + " has confirmed it yet (elder held list)");
        }
        return 0;
    }

    private HeldPlans plans() {
        return new HeldPlans(site.kafka());
    }
}
