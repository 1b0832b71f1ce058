package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.runtime.DeclaredSettings;
import io.elder.schemas.Topics;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Every setting that the code reads is declared, and the reverse; {@code docs/configuration.md} is made of the declarations. */
class ConfigurationPageTest {
    private static final Path ROOT = Path.of("..");
    private static final Path PAGE = ROOT.resolve("docs/configuration.md");
    /** Look like settings of ours and are not: those of Kafka and Azure, the ends of names, states of clouds. */
    private static final Set<String> NOT_OURS = Set.of(
            "CREATE_FAILED",
            "DELETE_FAILED",
            "DELETE_REQUESTED",
            "KAFKA_HEAP_OPTS",
            "KAFKA_OPTS",
            "KAFKA_DEFAULT_API_TIMEOUT_MS",
            "KAFKA_REQUEST_TIMEOUT_MS",
            "ELDER_UP_PID",
            "OKTA_GROUP",
            "ENDPOINT_URL",
            "IDENTITY_ENDPOINT",
            "IDENTITY_HEADER",
            "KUBECONFIG_FILE",
            "SYNC_INTERVAL",
            "KUBECONFIG_PATH",
            "KUBECONFIG_YAML");

    private final DeclaredSettings declared = DeclaredSettings.onClassPath();

    @Test
    void everySettingThatIsReadIsDeclaredAndTheReverse() throws IOException {
        String words = declared.namesRead().stream()
                .map(name -> name.substring(0, name.indexOf('_')))
                .distinct()
                .collect(Collectors.joining("|"));
        Set<String> read = names(Pattern.compile("\\$\\{(ELDER_[A-Z_]+)"), ROOT.resolve("elder"));
        Pattern literal = Pattern.compile("\"((?:" + words + ")_[A-Z0-9_]*[A-Z0-9])\"");
        for (Path source : sources()) {
            read.addAll(names(literal, source));
        }
        read.removeAll(NOT_OURS);
        // What every provider has is read by names that are put together.
        for (String provider : Topics.PROVIDERS) {
            for (String each : List.of("ENABLED", "SYNC_INTERVAL", "RATE_LIMIT", "CREDENTIALS_FILE")) {
                read.add(provider.toUpperCase(Locale.ROOT) + "_" + each);
            }
        }
        assertThat(declared.namesRead()).containsExactlyInAnyOrderElementsOf(read);
    }

    @Test
    void thePageIsMadeOfTheDeclarations() throws IOException {
        if (Boolean.getBoolean("golden.rewrite") && System.getenv("CI") == null) {
            Files.writeString(PAGE, declared.page());
        }
        assertThat(Files.readString(PAGE))
                .as(
                        "%s; ./mvnw -pl embedded -am test -Dtest=ConfigurationPageTest -Dgolden.rewrite=true"
                                + " -Dsurefire.failIfNoSpecifiedTests=false writes it",
                        PAGE)
                .isEqualTo(declared.page());
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
