package io.elder.console;

import com.zaxxer.hikari.HikariDataSource;
import io.elder.runtime.Database;
import io.elder.runtime.Secret;
import io.elder.schemas.db.Migrations;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

@Command(
        name = "migrate",
        mixinStandardHelpOptions = true,
        description = {
            "Brings Elder's database to what the pipeline needs; adds, never changes what is there.",
            "Connects by DATABASE_OWNER_URL, else DATABASE_URL: the owner of Elder's tables.",
            "ELDER_WORKER_PASSWORD, ELDER_CONSOLE_PASSWORD and ELDER_CDC_PASSWORD, where set, become the passwords of",
            "these roles."
        })
final class MigrateCommand implements Callable<Integer> {
    private final Site site;
    private final Terminal terminal;

    MigrateCommand(Site site, Terminal terminal) {
        this.site = site;
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws SQLException {
        Database owner = Database.from(site.settings(), "DATABASE_OWNER_URL", "DATABASE_URL", "DB_URL");
        Optional<Secret> worker = site.settings().findSecret("ELDER_WORKER_PASSWORD");
        Optional<Secret> console = site.settings().findSecret("ELDER_CONSOLE_PASSWORD");
        Optional<Secret> cdc = site.settings().findSecret("ELDER_CDC_PASSWORD");
        site.settings().check();
        try (HikariDataSource database = owner.pool("migrate", 4)) {
            terminal.line(Migrations.migrate(database).toString());
            try (Connection connection = database.getConnection()) {
                if (worker.isPresent()) {
                    Migrations.setWorkerPassword(connection, worker.get().value());
                    terminal.line("role " + Migrations.WORKER_ROLE + ": password set");
                }
                if (console.isPresent()) {
                    Migrations.setConsolePassword(connection, console.get().value());
                    terminal.line("role " + Migrations.CONSOLE_ROLE + ": password set");
                }
                if (cdc.isPresent()) {
                    Migrations.setCdcPassword(connection, cdc.get().value());
                    terminal.line("role " + Migrations.CDC_ROLE + ": password set");
                }
            }
        }
        return 0;
    }
}
