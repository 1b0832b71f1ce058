package io.elder.schemas.serde;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.apache.avro.Schema;
import org.apache.avro.SchemaValidationException;
import org.apache.avro.SchemaValidatorBuilder;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Every schema can be read with, and can read, every version that was ever released (FULL_TRANSITIVE). The released
 * versions lie in {@code src/test/resources/avro/<record>/<version>.avsc}; a release adds files there, nothing removes any.
 */
class SchemaCompatibilityTest {
    private static final Path RELEASED = Path.of("src/test/resources/avro");

    @TestFactory
    Stream<DynamicTest> everySchemaGoesWithAllItsReleasedVersions() {
        return AvroSchemas.ALL.stream()
                .map(schema -> DynamicTest.dynamicTest(schema.getName(), () -> {
                    List<Schema> released = released(schema.getName());
                    assertThat(released)
                            .as("released versions of " + schema.getName() + " under " + RELEASED)
                            .isNotEmpty();
                    validate(schema, released);
                }));
    }

    private static void validate(Schema schema, List<Schema> released) throws SchemaValidationException {
        new SchemaValidatorBuilder().mutualReadStrategy().validateAll().validate(schema, released);
    }

    private static List<Schema> released(String name) throws IOException {
        Path folder = RELEASED.resolve(name);
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().map(SchemaCompatibilityTest::parse).toList();
        }
    }

    private static Schema parse(Path file) {
        try {
            return new Schema.Parser().parse(file.toFile());
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
