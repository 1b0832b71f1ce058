package io.elder.bench;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * Clocks of processes that can be set while they run, by libfaketime: each process reads how far it is off from a file of
 * its own. What counts time that passed is not touched, as by the kernel.
 *
 * @see <a href="https://github.com/wolfcw/libfaketime">libfaketime</a>
 */
record Clocks(Path library, Path folder) {
    /** How long it takes until a process has read its file again, and looked at its clock. */
    static final Duration NOTICED = Duration.ofMillis(2500);

    /** Where Debian's package {@code libfaketime} puts it. */
    private static final Path LIBRARIES = Path.of("/usr/lib");

    /** @param folder for the files; empty if libfaketime is not installed */
    static Optional<Clocks> find(Path folder) throws IOException {
        try (DirectoryStream<Path> architectures = Files.newDirectoryStream(LIBRARIES, "*-linux-*")) {
            for (Path architecture : architectures) {
                Path library = architecture.resolve("faketime/libfaketimeMT.so.1");
                if (Files.exists(library)) {
                    return Optional.of(new Clocks(library, Files.createDirectories(folder)));
                }
            }
        }
        return Optional.empty();
    }

    /** What a process is started with; its clock is right until it is set. */
    Map<String, String> environment(String name) throws IOException {
        set(name, Duration.ZERO);
        return Map.of(
                "LD_PRELOAD",
                library.toString(),
                "FAKETIME_TIMESTAMP_FILE",
                file(name).toString(),
                "FAKETIME_CACHE_DURATION",
                "1",
                "FAKETIME_DONT_FAKE_MONOTONIC",
                "1",
                // Else waits of Java, which are by that clock, are over at once.
                "FAKETIME_FORCE_MONOTONIC_FIX",
                "0",
                "NO_FAKE_STAT",
                "1");
    }

    /** Within {@link #NOTICED} the process's clock is so far off. */
    void set(String name, Duration off) throws IOException {
        Path written = Files.writeString(folder.resolve(name + ".next"), String.format("%+d", off.toSeconds()));
        Files.move(written, file(name), StandardCopyOption.ATOMIC_MOVE);
    }

    private Path file(String name) {
        return folder.resolve(name);
    }
}
