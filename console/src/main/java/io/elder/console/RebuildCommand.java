package io.elder.console;

import com.zaxxer.hikari.HikariDataSource;
import io.elder.runtime.Database;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "rebuild",
        mixinStandardHelpOptions = true,
        description = {
            "Derives the inventory anew from the raw topics. Stop the normalizer and the sink first, and start them",
            "when it says so; it shows their progress and ends when they are done. Rows are kept and keep their ids;",
            "with --empty they are deleted first. What people decided on held deletions counts again.",
            "Run it where the normalizer ran, with its STATE_DIR; delete the state of others while they are stopped.",
            "Where everything is one process: ./elder up --rebuild."
        })
final class RebuildCommand implements Callable<Integer> {
    private final Site site;
    private final Terminal terminal;

    @Option(names = "--empty", description = "deletes the rows of the inventory first; needs --yes")
    private boolean empty;

    @Option(names = "--yes", description = "says that you mean it")
    private boolean yes;

    @Option(names = "--no-watch", description = "ends after the reset")
    private boolean noWatch;

    @Option(names = "--watch-only", description = "shows the progress of a rebuild that was started")
    private boolean watchOnly;

    RebuildCommand(Site site, Terminal terminal) {
        this.site = site;
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws Exception {
        if (empty && !yes) {
            throw new BadInput("--empty deletes the inventory's rows (expected: --yes with it)");
        }
        if (!watchOnly) {
            site.refuseWhereEmbedded("rebuild");
        }
        Database owner = Database.from(site.settings(), "DATABASE_OWNER_URL", "DATABASE_URL", "DB_URL");
        site.settings().check();
        try (HikariDataSource database = owner.pool("rebuild", 2)) {
            Path state = Path.of(site.settings().text("STATE_DIR", ".elder/state"));
            Rebuild rebuild = new Rebuild(site.kafka(), database, state);
            if (!watchOnly) {
                rebuild.reset(empty, terminal::line);
                terminal.line("start the normalizer and the sink now");
            }
            if (!noWatch) {
                rebuild.watch(terminal, () -> true);
            }
        }
        return 0;
    }
}
