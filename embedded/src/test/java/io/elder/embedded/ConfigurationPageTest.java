package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** {@code docs/configuration.md} names every setting that the code reads, and none that it does not. */
class ConfigurationPageTest {
    private static final Path ROOT = Path.of("..");
    private static final Pattern READ = Pattern.compile(
            "\\b(?:settings|given|environment|job)\\s*\\.(?:text|find|secret|findSecret|whole|yes|duration|list|oneOf|findAny)\\(\\s*\"([A-Z][A-Z0-9_]+)\"(?:,\\s*\"([A-Z][A-Z0-9_]+)\")?");
    private static final Pattern DOCUMENTED = Pattern.compile("^\\| `([A-Z][A-Z0-9_]+)`", Pattern.MULTILINE);

    @Test
    void everySettingThatIsReadIsDocumentedAndTheReverse() throws IOException {
        Set<String> documented = new TreeSet<>();
        Matcher rows = DOCUMENTED.matcher(Files.readString(ROOT.resolve("docs/configuration.md")));
        while (rows.find()) {
            documented.add(rows.group(1));
        }
        assertThat(documented).containsExactlyInAnyOrderElementsOf(readBySources());
    }

    private static Set<String> readBySources() throws IOException {
        Set<String> names = new TreeSet<>();
        try (Stream<Path> files = Files.walk(ROOT)) {
            files.filter(file ->
                            file.toString().endsWith(".java") && file.toString().contains("src/main"))
                    .forEach(file -> collect(file, names));
        }
        return names;
    }

    private static void collect(Path file, Set<String> names) {
        try {
            Matcher reads = READ.matcher(Files.readString(file));
            while (reads.find()) {
                names.add(reads.group(1));
                // A second name is another spelling of the same setting, or a default that looks like one.
                if (reads.group(2) != null && reads.group(0).contains("findAny")) {
                    names.add(reads.group(2));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
