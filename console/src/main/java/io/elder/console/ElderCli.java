package io.elder.console;

import io.elder.runtime.Launcher;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.KafkaException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;

/** The operators' commands. Exit codes: 0 done, 1 it failed, 2 wrong usage or settings. */
@Command(
        name = "elder",
        mixinStandardHelpOptions = true,
        description = "Elder Worker's commands.",
        synopsisSubcommandLabel = "COMMAND")
public final class ElderCli {
    private ElderCli() {}

    public static void main(String[] args) {
        // A command's output is its own; logs of libraries only when asked for.
        Settings environment = Launcher.environment();
        String level = environment.find("LOG_LEVEL").orElse("ERROR");
        Settings settings = environment.with(java.util.Map.of("LOG_LEVEL", level));
        Launcher.logging(settings);
        System.exit(run(settings, Terminal.ofProcess(), args));
    }

    static int run(Settings settings, Terminal terminal, String... args) {
        List<String> words = new ArrayList<>(List.of(args));
        Site site = Site.of(settings, folder(settings, words), terminal);
        // Help is asked for in each annotation: picocli hands methods the wrong arguments where it is added later.
        CommandLine line = new CommandLine(new ElderCli())
                .addSubcommand(new JobsCommand(site, terminal))
                .addSubcommand(new InventoryCommand(site, terminal))
                .addSubcommand(new MigrateCommand(site, terminal))
                .addSubcommand(new TopicsCommand(site, terminal))
                .addSubcommand(new SchemasCommand(site, terminal))
                .addSubcommand(new HeldCommands(site, terminal))
                .addSubcommand(new WritebackCommands(site, terminal))
                .addSubcommand(new DeadletterCommands(site, terminal))
                .addSubcommand(new RebuildCommand(site, terminal));
        tellOfData(line);
        line.setColorScheme(CommandLine.Help.defaultColorScheme(terminal.interactive() ? Ansi.AUTO : Ansi.OFF));
        line.setOut(new java.io.PrintWriter(terminal.out(), true, java.nio.charset.StandardCharsets.UTF_8));
        line.setErr(new java.io.PrintWriter(terminal.err(), true, java.nio.charset.StandardCharsets.UTF_8));
        line.setExecutionExceptionHandler((e, command, result) -> failed(terminal, e));
        if (words.isEmpty()) {
            line.usage(line.getErr());
            return 2;
        }
        return line.execute(words.toArray(String[]::new));
    }

    private static void tellOfData(CommandLine line) {
        line.getCommandSpec()
                .usageMessage()
                .footer(
                        "",
                        "--data=FOLDER, or ELDER_DATA, names the ./elder up to talk to if its folder is not .elder.");
        line.getSubcommands().values().forEach(ElderCli::tellOfData);
    }

    /** Where {@code ./elder up} keeps its data: {@code --data} anywhere among the words, which is taken out, or ELDER_DATA. */
    private static Path folder(Settings settings, List<String> words) {
        String folder = settings.text("ELDER_DATA", ".elder");
        for (int i = 0; i < words.size(); i++) {
            if (words.get(i).startsWith("--data=")) {
                folder = words.remove(i).substring("--data=".length());
                break;
            }
            if (words.get(i).equals("--data") && i + 1 < words.size()) {
                words.remove(i);
                folder = words.remove(i);
                break;
            }
        }
        return Path.of(folder);
    }

    private static int failed(Terminal terminal, Exception failure) {
        switch (failure) {
            case SettingsException e -> {
                terminal.say("elder: these settings are wrong:");
                e.problems().forEach(problem -> terminal.say("  " + problem));
                return 2;
            }
            case BadInput e -> {
                terminal.say("elder: " + e.getMessage());
                return 2;
            }
            case CommandFailed e -> terminal.say("elder: " + e.getMessage());
            case Conflict e -> terminal.say("elder: " + e.getMessage());
            case SQLException e -> terminal.say("elder: the database: " + firstLine(e));
            case KafkaException e -> terminal.say("elder: Kafka: " + firstLine(e));
            case InterruptedException e -> {
                Thread.currentThread().interrupt();
                terminal.say("elder: interrupted");
            }
            default -> terminal.say("elder: " + failure.getClass().getSimpleName() + ": " + firstLine(failure));
        }
        return 1;
    }

    private static String firstLine(Throwable failure) {
        Throwable root = failure;
        while (root.getCause() != null && (root.getMessage() == null || root.getCause() instanceof SQLException)) {
            root = root.getCause();
        }
        return String.valueOf(root.getMessage()).lines().findFirst().orElse("no message");
    }
}
