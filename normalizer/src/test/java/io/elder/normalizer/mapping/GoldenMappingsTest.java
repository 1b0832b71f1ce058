package io.elder.normalizer.mapping;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.elder.schemas.avro.Row;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** {@code golden/<provider>/<kind>/<case>.in.json} gives {@code .out.json}, or is refused as {@code .rejected.txt} says. */
class GoldenMappingsTest {
    private static final Path GOLDEN = Path.of("src/test/resources/golden");
    private static final boolean REWRITE = Boolean.getBoolean("golden.rewrite");
    private static final ObjectMapper JSON = new ObjectMapper()
            .enable(SerializationFeature.INDENT_OUTPUT)
            .enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS);

    @TestFactory
    Stream<DynamicTest> everyCaseGivesWhatItsFileSays() throws IOException {
        return cases().stream()
                .map(in -> DynamicTest.dynamicTest(GOLDEN.relativize(in).toString(), () -> check(in)));
    }

    @Test
    void ciNeverRewrites() {
        assertThat(REWRITE && System.getenv("CI") != null)
                .as("-Dgolden.rewrite in CI")
                .isFalse();
    }

    @Test
    void everyKindHasAGoldenCaseAndEveryCaseAKind() throws IOException {
        var mapped = new TreeSet<String>();
        Mappings.ALL.forEach(
                mapping -> mapping.kinds().keySet().forEach(kind -> mapped.add(mapping.provider() + "/" + kind)));
        var tested = new TreeSet<String>();
        cases().forEach(in -> tested.add(GOLDEN.relativize(in.getParent()).toString()));
        assertThat(tested).isEqualTo(mapped);
    }

    private static List<Path> cases() throws IOException {
        try (Stream<Path> files = Files.walk(GOLDEN)) {
            return files.filter(file -> file.toString().endsWith(".in.json"))
                    .sorted()
                    .toList();
        }
    }

    private static void check(Path in) throws IOException {
        String stem = in.toString().substring(0, in.toString().length() - ".in.json".length());
        Path out = Path.of(stem + ".out.json");
        Path rejected = Path.of(stem + ".rejected.txt");
        JsonNode given = JSON.readTree(in.toFile());
        String found;
        boolean refused = false;
        try {
            List<Output> rows = Mappings.map(
                    given.path("key").textValue(), given.path("payload").toString());
            found = JSON.writeValueAsString(
                            rows.stream().map(GoldenMappingsTest::readable).toList()) + "\n";
        } catch (RejectedRecord e) {
            refused = true;
            found = e.getMessage() + "\n";
        }
        if (REWRITE && System.getenv("CI") == null) {
            Files.deleteIfExists(refused ? out : rejected);
            Files.writeString(refused ? rejected : out, found);
        }
        assertThat(refused ? rejected : out).as(found).exists();
        assertThat(refused ? out : rejected).doesNotExist();
        assertThat(found).isEqualTo(Files.readString(refused ? rejected : out));
    }

    private static Map<String, Object> readable(Output output) {
        Row row = output.row();
        Map<String, Object> readable = new LinkedHashMap<>();
        readable.put("table", row.getTable());
        readable.put("key", output.key());
        readable.put("values", new TreeMap<>(row.getValues()));
        readable.put("references", new TreeMap<>(row.getReferences()));
        try {
            readable.put("attributes", row.getAttributes() == null ? null : JSON.readTree(row.getAttributes()));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        readable.put("tags", new ArrayList<>(row.getTags()));
        readable.put("contentHash", Long.toHexString(row.getContentHash()));
        return readable;
    }
}
