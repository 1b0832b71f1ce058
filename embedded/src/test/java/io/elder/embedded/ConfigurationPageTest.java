package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** {@code docs/configuration.md} names every setting that the code reads, and none that it does not. */
class ConfigurationPageTest {
    private static final Path ROOT = Path.of("..");
    private static final Pattern DOCUMENTED = Pattern.compile("^\\| `([A-Z][A-Z0-9_]+)`", Pattern.MULTILINE);
    private static final Pattern LITERAL = Pattern.compile(
            "\"((?:CDC|CONSOLE|CREATE|DATABASE|DB|DEFAULT|DELETE|DISCOVERY|ELDER|EMBEDDED|ENDPOINT|FETCHER|HEALTH|HELD|IDENTITY|JOBS|KAFKA|LAST|LDAP|LOG|NORMALIZER|PURGE|RAW|SCHEMA|SECRETS|SINK|STATE|SYNC|TOPIC)_[A-Z0-9_]*[A-Z0-9])\"");
    /** Look like settings of ours and are not: names of Kafka's own, and the end of a name. */
    private static final Set<String> NOT_OURS = Set.of(
            "KAFKA_VALUE_SERIALIZER",
            "KAFKA_VALUE_DESERIALIZER",
            "KAFKA_HEAP_OPTS",
            "KAFKA_OPTS",
            "KAFKA_DEFAULT_API_TIMEOUT_MS",
            "KAFKA_REQUEST_TIMEOUT_MS",
            "ENDPOINT_URL");

    @Test
    void everySettingThatIsReadIsDocumentedAndTheReverse() throws IOException {
        Set<String> read = new TreeSet<>();
        for (Path source : sources()) {
            names(LITERAL, source).stream()
                    .filter(name -> !NOT_OURS.contains(name))
                    .forEach(read::add);
        }
        assertThat(names(DOCUMENTED, ROOT.resolve("docs/configuration.md"))).containsExactlyInAnyOrderElementsOf(read);
    }

    private static List<Path> sources() throws IOException {
        try (Stream<Path> files = Files.walk(ROOT)) {
            return files.filter(file ->
                            file.toString().endsWith(".java") && file.toString().contains("src/main"))
                    .toList();
        }
    }

    private static Set<String> names(Pattern pattern, Path file) {
        try {
            Set<String> names = new TreeSet<>();
            Matcher matcher = pattern.matcher(Files.readString(file));
            while (matcher.find()) {
                names.add(matcher.group(1));
            }
            return names;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
